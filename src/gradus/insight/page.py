"""Pages: HTML that needs nothing but itself, all of one house style."""

from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from typing import Any

import numpy as np
from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from gradus.catalog.text import has_kana


def render_page(
    name: str,
    title: str,
    filters: Mapping[str, Callable[..., str]],
    styles: Sequence[str] = (),
    **content: Any,
) -> str:
    """A page as HTML: its style is inside, nothing is loaded, and all that is not `Markup` is escaped.

    Args:
        name: The page's template is `name.html`, which extends `page.html`; its own style is `name.css`.
        title: What stands in the browser's tab.
        filters: The page's own filters, beside `value`, `signed` and `count`.
        styles: Styles that several pages have, `name.css` too.
        **content: What the template shows.
    """
    environment = Environment(
        loader=FunctionLoader(read_part),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"value": show_value, "signed": show_signed, "count": show_count, **filters}
    environment.tests["kana"] = has_kana
    parts = [read_part(f"{part}.css") for part in ("page", *styles, name)]
    style = Markup("".join([_palette(), *parts]))  # noqa: S704 - our own files
    return environment.get_template(f"{name}.html").render(title=title, style=style, **content)


def show_value(value: float) -> str:
    """A metric's value: three decimals where it lies below 10, one above, a dash where undefined."""
    if not np.isfinite(value):
        return "–"
    return signs(f"{value:.3f}" if abs(value) < 10 else f"{value:,.1f}")


def show_signed(value: float) -> str:
    """A difference, with its sign unless it is shown as zero."""
    shown = show_value(value)
    return shown if shown[0] in "−–" or not shown.strip("0.") else f"+{shown}"


def show_count(number: float) -> str:
    """A count, with its thousands apart."""
    return f"{number:,.0f}"


def signs(number: str) -> str:
    """A number with the true minus sign, and none before one that was rounded to zero."""
    return number.replace("-", "−") if number.strip("+-0.") else number.lstrip("+-")


def _palette() -> str:
    """The colours, which these pages share with those of the service."""
    return resources.files("gradus").joinpath("palette.css").read_text(encoding="utf-8")


def read_part(name: str) -> str:
    """A template, style or program of these pages."""
    return resources.files("gradus.insight").joinpath(name).read_text(encoding="utf-8")
