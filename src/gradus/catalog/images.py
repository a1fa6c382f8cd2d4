"""Images: any file a shop may hold, decoded to RGB without trusting it."""

import io
import threading
import warnings
from functools import cache

import numpy as np
from PIL import Image, UnidentifiedImageError

from gradus.catalog.table import ImageSource
from gradus.errors import CatalogError

MAX_PIXELS = 64_000_000
"""Images with more pixels (8,000 × 8,000) are refused before they are decoded."""

_WHITE = (255, 255, 255)
_ORIENTATION_TAG = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF orientation → what turns the stored image upright."""

_SPARE = 2
"""Decoding to a given side keeps this many times as many pixels per side, for the filter to average."""

_OPENING = threading.Lock()


@cache
def _formats() -> tuple[str, ...]:
    """The formats to try: common pictures only, so that no file can start Ghostscript."""
    Image.init()
    wanted = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "PPM")
    return tuple(name for name in wanted if name in Image.OPEN)


def decode_image(source: ImageSource, side: int | None = None, pixels: int = MAX_PIXELS) -> Image.Image:
    """Decode to RGB, upright by EXIF, transparency on white.

    16-bit grey is scaled by 1/257. Images of 32-bit integers or floats carry no scale of their own: floats
    within [0, 1] are stretched from there, values within 0 to 255 kept, values within 0 to 65,535 scaled
    by 1/257, and anything else stretched from its minimum to its maximum. Of an animation the first frame
    counts.

    Args:
        source: A file or its bytes.
        side: The side of the square that the image will be fitted into. A large JPEG may then come out
            smaller than it is (its longer side never below twice this), which decodes several times faster.
        pixels: An image with more pixels is refused before it is decoded.

    Raises:
        CatalogError: No such file, not an image of a known format, cut short, damaged, or of more than
            `pixels` pixels. Nothing else is raised, whatever the bytes.
    """
    try:
        return _decode(source if isinstance(source, bytes) else source.read_bytes(), side, pixels)
    except CatalogError:
        raise
    except FileNotFoundError as error:
        raise CatalogError(f"no file {error.filename}") from None
    # Decoders raise almost anything on hostile bytes: SyntaxError, struct.error, IndexError, MemoryError.
    except Exception as error:
        raise CatalogError(_reason(error)) from None


def fit_square(image: Image.Image, side: int) -> Image.Image:
    """The RGB image resized to fit a white square of the given side, and centred on it."""
    factor = side / max(image.size)
    width, height = (max(1, round(length * factor)) for length in image.size)
    # The gap lets Pillow average whole blocks before the Lanczos filter: as good, and several times faster.
    resized = image.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=3.0)
    if width == height:
        return resized
    square = Image.new("RGB", (side, side), _WHITE)
    square.paste(resized, ((side - width) // 2, (side - height) // 2))
    return square


def _decode(data: bytes, side: int | None, pixels: int) -> Image.Image:
    # Warning filters belong to the whole process, so threads must take turns; opening reads headers only.
    with _OPENING, warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        image: Image.Image = Image.open(io.BytesIO(data), formats=_formats())
    with image:
        if image.width * image.height > pixels:
            raise CatalogError(
                f"too large: {image.width} × {image.height} pixels, at most {pixels:,} allowed"
            )
        if side is not None:
            box = _long_side_to(image.size, side * _SPARE)
            image.draft("RGB", box)
        image.load()
        return _to_rgb(_upright(image))


def _long_side_to(size: tuple[int, int], length: int) -> tuple[int, int]:
    """The size in the same proportions with the longer side of the given length."""
    factor = length / max(size)
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))


def _upright(image: Image.Image) -> Image.Image:
    try:
        turn = _UPRIGHT.get(image.getexif().get(_ORIENTATION_TAG, 1))
    except Exception:
        return image  # damaged EXIF says nothing about the picture
    return image if turn is None else image.transpose(turn)


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith(("I", "F")):
        return Image.fromarray(_eight_bit(image)).convert("RGB")
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        white = Image.new("RGBA", layer.size, (*_WHITE, 255))
        return Image.alpha_composite(white, layer).convert("RGB")
    return image.convert("RGB")


def _eight_bit(image: Image.Image) -> "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]":
    """Grey values of more than 8 bits, (height, width), scaled to 0–255 as `decode_image` says."""
    values = np.nan_to_num(np.asarray(image, dtype=np.float64), posinf=0.0, neginf=0.0)
    low, high = float(values.min()), float(values.max())
    if image.mode.startswith("I;16"):
        values = values / 257
    elif image.mode == "F" and low >= 0 and high <= 1:
        values = values * 255
    elif low >= 0 and high <= 65535:
        values = values if high <= 255 else values / 257
    else:
        values = (values - low) * (255 / max(high - low, 1e-12))
    return np.rint(values).astype(np.uint8)


def _reason(error: Exception) -> str:
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return f"too large: more than {MAX_PIXELS:,} pixels"
    if isinstance(error, UnidentifiedImageError):
        return f"not an image of a known format ({', '.join(_formats())})"
    if isinstance(error, IsADirectoryError):
        return "a folder, not an image"
    return f"damaged or cut short: {error or type(error).__name__}"
