"""Numbers as the words that a searcher writes."""

from gradus.catalog.fields import Field
from gradus.encoders.words import as_text


def test_a_number_is_written_with_the_name_of_its_field() -> None:
    values = [12.0, 1.5, None, 0.1 + 0.2, -3.0, 1e6]
    assert as_text(Field("pad_count", "number"), values) == [
        "12 pad count", "1.5 pad count", None, "0.3 pad count", "-3 pad count", "1000000 pad count",
    ]  # fmt: skip


def test_other_types_are_left_alone() -> None:
    values = ["steel", None]
    for kind in ("text", "category", "image"):
        assert as_text(Field("material", kind), values) is values
