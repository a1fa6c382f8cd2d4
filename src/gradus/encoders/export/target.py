"""What may be exported, and where: models whose vectors come from towers alone, to places of their own."""

from pathlib import Path

from gradus.encoders.encoder import Encoder
from gradus.errors import ModelError


def require_dense(encoder: Encoder) -> None:
    """Raise a ModelError for a model that puts something beside what its towers give: exact terms, or a prior."""
    if encoder.exact is not None:
        raise ModelError(
            "the model puts exact terms beside what its towers give, and a network for other programs would lack "
            "them; export its documents with --format vectors, or train with encoder.exact_terms = 0"
        )
    if encoder.prior is not None:
        raise ModelError(
            "the model puts a document prior before what its towers give, and a network for other programs would "
            "lack it; export its documents with --format vectors, or train with encoder.prior = 0"
        )


def require_replaceable(folder: Path, mark: str) -> None:
    """Raise a ModelError where a folder holds something else, which writing would remove.

    Args:
        folder: What is to be written, and replaced whole if it is there.
        mark: Name of a file that an earlier export has.
    """
    if (
        folder.exists()
        and not (folder / mark).is_file()
        and not (folder.is_dir() and not any(folder.iterdir()))
    ):
        raise ModelError(f"{folder} is there already and is no earlier export; name another folder")
