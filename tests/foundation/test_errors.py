import inspect
import pickle

import pytest

from gradus import errors

KINDS = [kind for _, kind in inspect.getmembers(errors, inspect.isclass)]


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_is_caught_as_one(kind: type[Exception]) -> None:
    assert issubclass(kind, errors.GradusError)


def test_a_missing_extra_says_what_to_install() -> None:
    message = str(errors.MissingExtraError("the CLIP encoder", "hf"))
    assert message == "the CLIP encoder needs an optional dependency: pip install 'gradus[hf]'"


def test_messages_come_back_from_worker_processes() -> None:
    error = pickle.loads(pickle.dumps(errors.CatalogError("row 3: no id")))  # noqa: S301
    assert isinstance(error, errors.CatalogError)
    assert str(error) == "row 3: no id"
