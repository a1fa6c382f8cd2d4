"""Pictures: the catalogue's drawing of a part, and the picture somebody searches with."""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter

from gradus.catalog.samples.kinds import KINDS
from gradus.catalog.samples.parts import Part, heading
from gradus.catalog.samples.pen import save_png
from gradus.catalog.samples.sheet import Look, Sheet

DOCUMENT_STREAM, QUERY_STREAM = 10, 11


@dataclass(frozen=True)
class Picture:
    """One picture to draw; small enough to send to another process.

    Attributes:
        path: File to write.
        part: The part it shows.
        number: Index of the document, or of the query that it belongs to.
        seed: Seed of the catalogue.
        query: Whether it is a query's picture.
        dimensions: Whether it shows dimensions.
    """

    path: str
    part: Part
    number: int
    seed: int
    query: bool
    dimensions: bool = True


def draw_sheet(part: Part, number: int, look: Look) -> Image.Image:
    """Return the drawing of `part` in grey levels, with drawing number `number`."""
    kind = KINDS[part.kind]
    sheet = Sheet(heading(kind, part, f"GR-{number:05d}"), look)
    kind.draw(sheet, part.dims)
    sheet.finish_frame()
    return sheet.pen.finish()


def draw_document(part: Part, number: int, rng: np.random.Generator) -> Image.Image:
    """Return the catalogue's drawing; drawing offices differ a little in line width and hatching."""
    return draw_sheet(part, number, Look(weight=rng.uniform(0.9, 1.2), hatch_pitch=rng.uniform(3.4, 5.0)))


def draw_query(part: Part, number: int, dimensions: bool, rng: np.random.Generator) -> Image.Image:
    """Return a picture of `part` as somebody might search with.

    Another line width, scale and choice of views, no border and no title block; then a slight turn, a crop
    that keeps the part, and the blur and noise of a scan.
    """
    look = Look(
        weight=rng.uniform(0.8, 1.5),
        hatch_pitch=rng.uniform(3.0, 6.0),
        block=False,
        dimensions=dimensions,
        second_view=bool(rng.random() < 0.5),
        zoom=rng.uniform(0.7, 0.95),
    )
    image = draw_sheet(part, number, look)
    image = image.rotate(rng.uniform(-6, 6), Image.Resampling.BICUBIC, expand=True, fillcolor=255)
    ink = Image.fromarray(np.asarray(image) < 128).getbbox() or (0, 0, *image.size)
    pad = [int(v) for v in rng.integers(2, 24, 4)]
    low = max(0, ink[0] - pad[0]), max(0, ink[1] - pad[1])
    high = min(image.width, ink[2] + pad[2]), min(image.height, ink[3] + pad[3])
    image = image.crop((*low, *high))
    if rng.random() < 0.5:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 0.7)))
    paper = np.asarray(image, float) * rng.uniform(0.9, 1.0) + rng.normal(
        0, rng.uniform(2, 10), image.size[::-1]
    )
    return Image.fromarray(np.clip(paper, 0, 255).astype(np.uint8))


def write_pictures(pictures: list[Picture]) -> int:
    """Draw and write `pictures`; each depends on its own seed and number alone.

    Returns:
        How many were written.
    """
    for picture in pictures:
        stream = QUERY_STREAM if picture.query else DOCUMENT_STREAM
        rng = np.random.default_rng([picture.seed, stream, picture.number])
        if picture.query:
            image = draw_query(picture.part, picture.number, picture.dimensions, rng)
        else:
            image = draw_document(picture.part, picture.number, rng)
        save_png(image, picture.path)
    return len(pictures)
