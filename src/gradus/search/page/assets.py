"""The files of the pages, read once from the package."""

import hashlib
from dataclasses import dataclass
from importlib import resources

from jinja2 import Environment, FunctionLoader, StrictUndefined

_TYPES = {".css": "text/css", ".html": "text/html", ".js": "text/javascript", ".svg": "image/svg+xml"}

_PALETTE = "palette.css"

_ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><path fill="#14757b" '
    'd="M1 11h4v4H1zM6 6h4v9H6zM11 1h4v14h-4z"/></svg>'
)


@dataclass(frozen=True)
class Asset:
    """A file as it is sent.

    Attributes:
        content: Its bytes.
        media_type: Its type.
        etag: Changes when the content does.
    """

    content: bytes
    media_type: str
    etag: str


def load_assets() -> dict[str, Asset]:
    """File name → file: the pages, and what they load."""
    folder = resources.files("gradus.search.page")
    texts = {
        entry.name: entry.read_text(encoding="utf-8")
        for entry in folder.iterdir()
        if entry.name.endswith((".css", ".js", ".html"))
    }
    environment = Environment(loader=FunctionLoader(texts.get), autoescape=True, undefined=StrictUndefined)
    for name in [name for name in texts if name.endswith(".html")]:
        texts[name] = environment.get_template(name).render()
    texts[_PALETTE] = resources.files("gradus").joinpath(_PALETTE).read_text(encoding="utf-8")
    texts["icon.svg"] = _ICON
    return {name: _asset(name, text.encode()) for name, text in texts.items()}


def _asset(name: str, content: bytes) -> Asset:
    suffix = name[name.rindex(".") :]
    digest = hashlib.blake2b(content, digest_size=8).hexdigest()
    return Asset(content, f"{_TYPES[suffix]}; charset=utf-8", f'"{digest}"')
