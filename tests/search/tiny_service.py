"""A shop of parts with pictures, an untrained model whose words still match themselves, and a service of both."""

import csv
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="the service is an extra: pip install 'gradus[serve]'")

import httpx
import torch
from fastapi import FastAPI
from PIL import Image, ImageDraw
from starlette.testclient import TestClient

from gradus.catalog.fields import Field
from gradus.encoders.build import build_encoder
from gradus.encoders.saving import save_model
from gradus.search.engine import Engine
from gradus.search.service.app import create_app
from gradus.search.service.feedback import UbiLog
from gradus.search.service.keys import Keys
from gradus.settings import EncoderSettings, ServiceSettings, Settings, read_settings
from gradus.workflow.serving import load_engine

HOME = "http://127.0.0.1"

COLOURS = ("red", "blue", "green", "black")
KINDS = ("bolt", "nut", "washer", "flange", "spring")

SETTINGS = """
[catalog]
path = "catalog.csv"
[catalog.fields]
title = { type = "text", weight = 1.0 }
picture = { type = "image", weight = 1.0 }
kind = { type = "category", weight = 0.0 }
size = { type = "number", weight = 0.0 }
[query.fields]
query = { type = "text" }
shown = { type = "image" }
[service]
port = 0
rate = 100000.0
burst = 100000
"""


def rows() -> list[dict[str, Any]]:
    """The catalogue: no size for black parts, no kind for springs, ids with a slash and a space."""
    return [
        {
            "doc_id": f"{colour}/{kind} {number}",
            "title": f"{colour} {kind}",
            "picture": f"{colour}-{kind}.png",
            "kind": "" if kind == "spring" else kind,
            "size": "" if colour == "black" else number * 2.5,
        }
        for number, (colour, kind) in enumerate((c, k) for c in COLOURS for k in KINDS)
    ]


def make_shop(folder: Path, seed: int = 0) -> Settings:
    """Write catalogue, pictures, settings and `model`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "gradus.toml").write_text(SETTINGS, encoding="utf-8")
    for row in rows():
        colour, kind = row["title"].split()
        (folder / row["picture"]).write_bytes(png(colour, KINDS.index(kind)))
    with (folder / "catalog.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows()[0]))
        writer.writeheader()
        writer.writerows(rows())
    make_model(folder / "model", seed)
    return read_settings(folder)


def make_model(folder: Path, seed: int) -> None:
    """Write an untrained model; another seed, another model."""
    torch.manual_seed(seed)
    fields = {
        "query": (Field("query"), Field("shown", "image")),
        "document": (Field("title"), Field("picture", "image")),
    }
    titles = [row["title"] for row in rows()]
    save_model(build_encoder(EncoderSettings(dimensions=32, pixels=32), fields, titles), folder, {})


def png(colour: str, sides: int = 0, size: tuple[int, int] = (40, 30)) -> bytes:
    """A picture."""
    image = Image.new("RGB", size, "grey")
    ImageDraw.Draw(image).rectangle((5, 5, 12 + 4 * sides, 20), fill=colour)
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def make_app(
    shop: Settings, keys: Keys | None = None, log: Path | None = None, **changed: Any
) -> tuple[FastAPI, Engine]:
    """An application, and its first engine."""
    engine = load_engine(shop, shop.root / "model")
    settings = ServiceSettings(**({"rate": 1e6, "burst": 10**6} | changed))
    app = create_app(
        engine, lambda: load_engine(shop, shop.root / "model"), settings, keys, UbiLog(log) if log else None
    )
    return app, engine


@contextmanager
def served(app: FastAPI) -> Iterator[TestClient]:
    """A client of an application that runs in this process, shut down at the end."""
    with TestClient(app, base_url=HOME) as client:
        yield client


class Through(httpx.BaseTransport):
    """Carries what our own client sends to an application in this process."""

    def __init__(self, raw: TestClient) -> None:
        self._raw = raw

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        headers = list(request.headers.multi_items())
        answer = self._raw.request(
            request.method, str(request.url), content=request.read(), headers=dict(headers)
        )
        return httpx.Response(answer.status_code, headers=dict(answer.headers), content=answer.content)


def lines(folder: Path) -> list[dict[str, Any]]:
    """Every record of a folder of the log, in order."""
    return [
        json.loads(line) for path in sorted(folder.glob("*.jsonl")) for line in path.read_bytes().splitlines()
    ]


def click(query_id: str, doc_id: str, position: int = 1, action: str = "click") -> dict[str, Any]:
    """An event."""
    attributes = {"object": {"object_id": doc_id}, "position": {"ordinal": position}}
    return {"action_name": action, "query_id": query_id, "event_attributes": attributes}
