"""A shop of coloured parts in English and in pictures, searched in Japanese or by picture.

No query shares a letter with a title, so whatever is found has been learned.
"""

import csv
import json
import os
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw
from typer.testing import CliRunner, Result

from gradus.cli.main import app

COLOURS = {"red": "赤", "blue": "青", "green": "緑", "black": "黒", "yellow": "黄", "white": "白"}
KINDS = {"bolt": "ボルト", "nut": "ナット", "washer": "座金", "flange": "フランジ"}
PARTS = [(colour, kind) for colour in COLOURS for kind in KINDS]
FIELDS = {
    "title": '{ type = "text", weight = 1.0 }',
    "picture": '{ type = "image", weight = 1.0 }',
}
SETTINGS = """
[catalog]
path = "catalog.csv"
[catalog.fields]
{documents}
[query.fields]
{queries}
[split]
novel_queries = 0.25
novel_documents = 0.25
validation = 0.1
[encoder]
dimensions = 16
vocabulary = 256
pixels = 32
[training]
epochs = 2
batch = 8
device = "cpu"
precision = "float32"
"""


def make_shop(folder: Path, documents: tuple[str, ...] = ("title",), query: str = "title") -> Path:
    """Write catalogue, pictures, judgments and settings.

    Args:
        folder: Where.
        documents: The fields of a document, of `FIELDS`.
        query: `title` for queries in Japanese, `picture` for queries by picture, `both`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    asked = ("title", "picture") if query == "both" else (query,)
    names = {"title": "query", "picture": "shown"}
    (folder / "gradus.toml").write_text(
        SETTINGS.format(
            documents="\n".join(f"{name} = {FIELDS[name]}" for name in documents),
            queries="\n".join(f"{names[name]} = {FIELDS[name]}" for name in asked),
        ),
        encoding="utf-8",
    )
    if "picture" in documents or "picture" in asked:
        for colour, kind in PARTS:
            draw(colour, kind, 20).save(folder / f"{colour}-{kind}.png")
            draw(colour, kind, 28).save(folder / f"asked-{colour}-{kind}.png")
        # The cache of pictures notes when a file was changed, unless that was only just.
        for picture in folder.glob("*.png"):
            os.utime(picture, (1_700_000_000, 1_700_000_000))
    write(
        folder / "catalog.csv",
        [{"doc_id": f"{c}-{k}", "title": f"{c} {k}", "picture": f"{c}-{k}.png"} for c, k in PARTS],
    )
    rows: list[dict[str, Any]] = []
    for c, k in PARTS:
        for other_c, other_k in PARTS:
            score = 1.0 if (c, k) == (other_c, other_k) else 0.5 if k == other_k else 0.0
            text = {"query": f"{COLOURS[c]}い{KINDS[k]}", "shown": f"asked-{c}-{k}.png"}
            row = {names[name]: text[names[name]] for name in asked}
            rows.append({"query_id": f"q-{c}-{k}", **row, "doc_id": f"{other_c}-{other_k}", "score": score})
    write(folder / "judgments.csv", rows)
    return folder


def draw(colour: str, kind: str, size: int) -> Image.Image:
    """A shape per kind on grey."""
    image = Image.new("RGB", (32, 32), (128, 128, 128))
    pen, box = ImageDraw.Draw(image), (2, 2, size, size)
    if kind == "bolt":
        pen.rectangle((2, 2, 8, size), fill=colour)
    elif kind == "nut":
        pen.rectangle(box, fill=colour)
    else:
        pen.ellipse(box, fill=colour)
        if kind == "washer":
            pen.ellipse((size // 3, size // 3, size - size // 3, size - size // 3), fill=(128, 128, 128))
    return image


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, hidden ones too."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def command(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def output(*arguments: str) -> str:
    """What a command that must succeed prints."""
    result = command(*arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def answer(*arguments: str) -> Any:
    """What a command that must succeed says as JSON."""
    return json.loads(output(*arguments, "--json"))


def failure(*arguments: str) -> str:
    """The one line of a command that a user's mistake must end, with nothing else said."""
    result = command(*arguments)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    said = [line for line in result.stderr.splitlines() if not line.endswith(" …")]
    assert len(said) == 1, result.stderr
    assert said[0].startswith("gradus: ")
    return said[0]
