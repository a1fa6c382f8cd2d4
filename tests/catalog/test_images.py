import contextlib
import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from gradus.catalog.images import MAX_PIXELS, decode_image, fit_square
from gradus.errors import CatalogError

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")

NOISE = np.random.default_rng(0).integers(0, 256, (24, 16, 3), dtype=np.uint8)


def encoded(image: Image.Image, form: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def colour(source: bytes) -> tuple[int, ...]:
    """The top left pixel."""
    image = decode_image(source)
    assert image.mode == "RGB"
    return image.getpixel((0, 0))


def grey16(value: int) -> Image.Image:
    return Image.fromarray(np.full((4, 4), value, np.uint16))


def float_image(low: float, high: float) -> bytes:
    return encoded(Image.fromarray(np.array([[high, low]], np.float32)), "TIFF")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (encoded(Image.new("RGB", (4, 4), (10, 20, 30))), (10, 20, 30)),
        (encoded(Image.new("L", (4, 4), 77)), (77, 77, 77)),
        (encoded(Image.new("1", (4, 4), 1)), (255, 255, 255)),
        (encoded(Image.new("RGB", (4, 4), (10, 20, 30)).quantize(4)), (10, 20, 30)),
        (encoded(Image.new("L", (4, 4), 9).convert("P"), "GIF"), (9, 9, 9)),
        # Ink of 0, 255, 255, 0 is red: no cyan, full magenta and yellow, no black.
        (encoded(Image.new("CMYK", (4, 4), (0, 255, 255, 0)), "TIFF"), (255, 0, 0)),
        # Alpha 51/255 = 0.2 on white: 0.2 · 100 + 0.8 · 255 = 224.
        (encoded(Image.new("RGBA", (4, 4), (100, 100, 100, 51))), (224, 224, 224)),
        (encoded(Image.new("RGBA", (4, 4), (0, 0, 0, 0))), (255, 255, 255)),
        (encoded(Image.new("LA", (4, 4), (100, 51))), (224, 224, 224)),
        (encoded(Image.new("RGB", (4, 4), (1, 2, 3)), transparency=(1, 2, 3)), (255, 255, 255)),
        (encoded(Image.new("P", (4, 4), 0), transparency=0), (255, 255, 255)),
        # 257 · 200 is the 16-bit form of 200.
        (encoded(grey16(257 * 200)), (200, 200, 200)),
        (encoded(grey16(65535)), (255, 255, 255)),
        (encoded(Image.fromarray(np.full((4, 4), 257 * 200, np.int32)), "TIFF"), (200, 200, 200)),
        (float_image(0.0, 0.2), (51, 51, 51)),  # 0.2 · 255
        (float_image(0.0, 200.0), (200, 200, 200)),
        (float_image(-1e6, 1e6), (255, 255, 255)),
        (float_image(float("nan"), 0.2), (51, 51, 51)),
    ],
)  # fmt: skip
def test_every_mode_becomes_rgb(source: bytes, expected: tuple[int, ...]) -> None:
    assert colour(source) == expected


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_honoured(orientation: int) -> None:
    upright = np.zeros((16, 32, 3), np.uint8)
    upright[:8, :8] = 255  # white top left corner
    # How a camera stores an upright scene, by the EXIF standard: row 0 and column 0 are these sides.
    stored = {
        1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1],
        5: upright.transpose(1, 0, 2), 6: np.rot90(upright, 1), 7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = Image.fromarray(np.ascontiguousarray(stored[orientation]))
    decoded = np.asarray(decode_image(encoded(image, "JPEG", exif=exif, quality=95)), int)
    assert decoded.shape == upright.shape
    assert np.abs(decoded - upright).max() < 30


def test_damaged_exif_does_not_spoil_the_image() -> None:
    source = encoded(
        Image.new("RGB", (8, 8), (200, 0, 0)), "JPEG", exif=b"Exif\x00\x00MM\x00*\xff\xff\xff\xff"
    )
    assert decode_image(source).size == (8, 8)


def png_claiming(width: int, height: int) -> bytes:
    """A few bytes of PNG that promise an image of the given size."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b""))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("size", [(8001, 8000), (10_000, 9_500), (60_000, 60_000)])
def test_bombs_are_refused_before_decoding(size: tuple[int, int]) -> None:
    assert size[0] * size[1] > MAX_PIXELS
    with pytest.raises(CatalogError, match="too large"):
        decode_image(png_claiming(*size))


def test_the_largest_allowed_size_is_not_called_too_large() -> None:
    with pytest.raises(CatalogError, match="cut short"):
        decode_image(png_claiming(8000, 8000))


def photo() -> bytes:
    return encoded(Image.fromarray(NOISE), "JPEG")


def test_unusable_files_say_why(tmp_path: Path) -> None:
    whole = photo()
    for source, reason in [
        (whole[: len(whole) // 2], "cut short"),
        (b"", "not an image"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not an image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 1 1\n", "not an image"),
    ]:
        with pytest.raises(CatalogError, match=reason):
            decode_image(source)
    with pytest.raises(CatalogError, match=r"no file .*lost\.jpg"):
        decode_image(tmp_path / "lost.jpg")
    with pytest.raises(CatalogError, match="a folder"):
        decode_image(tmp_path)


@settings(max_examples=200)
@given(st.sampled_from(["JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP"]), st.data())
def test_damage_never_raises_anything_else(form: str, data: st.DataObject) -> None:
    source = bytearray(encoded(Image.fromarray(NOISE), form))
    for _ in range(data.draw(st.integers(1, 8))):
        source[data.draw(st.integers(0, len(source) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(CatalogError):
        assert decode_image(bytes(source)).mode == "RGB"


def test_fitting_centres_on_white() -> None:
    square = np.asarray(fit_square(Image.new("RGB", (80, 40)), 16))
    # 80 × 40 becomes 16 × 8, with (16 − 8)/2 = 4 white rows above and below.
    assert square.shape == (16, 16, 3)
    assert (square[:4] == 255).all()
    assert (square[12:] == 255).all()
    assert (square[4:12] == 0).all()


@pytest.mark.parametrize("size", [(1, 1000), (1000, 1), (1, 1), (3, 7), (64, 64)])
def test_fitting_takes_any_proportions(size: tuple[int, int]) -> None:
    assert fit_square(Image.new("RGB", size), 16).size == (16, 16)


@pytest.mark.parametrize("size", [(1200, 900), (1600, 200)])
def test_decoding_for_a_side_changes_the_result_little(size: tuple[int, int]) -> None:
    rows, columns = np.mgrid[0 : size[1], 0 : size[0]]
    smooth = np.stack([rows % 256, columns % 256, (rows + columns) // 8 % 256], -1).astype(np.uint8)
    source = encoded(Image.fromarray(smooth).resize(size), "JPEG", quality=95)
    small = decode_image(source, 32)
    assert 64 <= max(small.size) < max(size)
    exact = np.asarray(fit_square(decode_image(source), 32), int)
    assert np.abs(np.asarray(fit_square(small, 32), int) - exact).mean() < 3
