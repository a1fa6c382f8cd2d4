"""`gradus export` and `gradus import-open-clip`: what they write and print, and what they refuse."""

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
from tiny_shop import answer, command, failure, make_shop, output

from gradus.catalog.read import open_catalog
from gradus.encoders.compression import prefix
from gradus.encoders.saving import load_model
from gradus.settings import read_settings
from gradus.workflow.evaluation import evaluate
from gradus.workflow.training import train

CELLS = ["in-domain", "novel-query", "novel-document", "zero-shot"]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_shop(tmp_path_factory.mktemp("shop"))
    train(read_settings(folder).with_values({"training.epochs": 8}), folder / "model")
    return folder


def stored(path: Path) -> tuple[list[str], np.ndarray, dict[str, object]]:
    table = pyarrow.parquet.read_table(path)
    about = json.loads(table.schema.metadata[b"gradus"])
    return table["id"].to_pylist(), np.array(table["vector"].to_pylist()), about


def own_vectors(shop: Path) -> tuple[list[str], np.ndarray]:
    encoder, documents = load_model(shop / "model"), open_catalog(read_settings(shop))
    return list(documents.ids), encoder.embed("document", encoder.prepare("document", documents))


def test_vectors_as_they_are(shop: Path, tmp_path: Path) -> None:
    out = tmp_path / "vectors.parquet"
    said = output("export", str(shop / "model"), str(out), "--format", "vectors", "--settings", str(shop))
    assert said.startswith(f"{out}: vectors, float32, 0.0")
    ids, vectors, about = stored(out)
    own_ids, own = own_vectors(shop)
    assert ids == own_ids
    np.testing.assert_array_equal(vectors.astype(np.float32), own)
    assert about["dimensions"] == 16


@pytest.mark.parametrize("precision", ["int8", "binary"])
def test_short_vectors_with_what_decodes_them(shop: Path, tmp_path: Path, precision: str) -> None:
    out = tmp_path / "vectors.parquet"
    options = ["--format", "vectors", "--dimensions", "8", "--precision", precision, "--settings", str(shop)]
    output("export", str(shop / "model"), str(out), *options)
    _, codes, about = stored(out)
    assert codes.shape == (24, 8 if precision == "int8" else 1)
    if precision == "binary":
        codes = np.unpackbits(codes.astype(np.uint8), axis=1) * 2.0 - 1
    decoded = np.array(about["offset"]) + np.array(about["scale"]) * codes
    cut = prefix(own_vectors(shop)[1], 8)
    error = np.abs(decoded - cut).max()
    assert error < (0.01 if precision == "int8" else np.abs(cut).max() * 2)
    # At least as near as nothing at all: the offset alone.
    assert ((decoded - cut) ** 2).sum() < ((cut - cut.mean(axis=0)) ** 2).sum()


def test_what_short_vectors_cost_is_measured(shop: Path, tmp_path: Path) -> None:
    options = ["--format", "vectors", "--dimensions", "8", "--measure", "--settings", str(shop)]
    found = answer("export", str(shop / "model"), str(tmp_path / "v.parquet"), *options)["measured"]
    forms = ["float32", "int8", "binary", "binary, Hamming"]
    assert [(m["name"], m["dimensions"]) for m in found] == [(f, d) for d in (16, 8) for f in forms]
    assert [m["bytes"] for m in found] == [64, 16, 2, 2, 32, 8, 1, 1]
    # The model's own vectors find what `gradus evaluate` says they find.
    own = evaluate(read_settings(shop), shop / "model")
    assert set(found[0]["metrics"]) == {"nDCG@10", "R@10"}
    for metric, cells in found[0]["metrics"].items():
        expected = {cell: result.intervals[metric].mean for cell, result in own.cells.items()}
        assert cells == pytest.approx(expected)
    assert len({json.dumps(m["metrics"]) for m in found}) > 2
    text = output("export", str(shop / "model"), str(tmp_path / "v.parquet"), *options)
    assert "binary, Hamming" in text
    assert "change" in text


@pytest.mark.slow
def test_onnx_is_written_and_measured(shop: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="needs the onnx extra")
    options = ["--precision", "int8", "--measure", "--settings", str(shop)]
    summary = answer("export", str(shop / "model"), str(tmp_path / "onnx"), *options)
    assert summary["difference"] <= 1e-5
    assert summary["bytes"] == sum(f.stat().st_size for f in (tmp_path / "onnx").rglob("*") if f.is_file())
    assert [each["name"] for each in summary["measured"]] == ["the model", "ONNX int8"]
    first, small = (each["metrics"]["nDCG@10"] for each in summary["measured"])
    own = evaluate(read_settings(shop), shop / "model")
    assert first == pytest.approx({c: r.intervals["nDCG@10"].mean for c, r in own.cells.items()})
    # Residuals of known documents are added: content alone would lose much more.
    assert small == pytest.approx(first, abs=0.1)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--format", "keras"], "--format is 'keras'; the formats are onnx, sentence-transformers, vectors"),
        (["--precision", "binary"], "--precision is 'binary'; for onnx it is one of float32, int8"),
        (["--dimensions", "8"], "--dimensions is for --format vectors"),
        (["--format", "sentence-transformers", "--measure"], "--measure is for onnx and vectors"),
        (["--format", "vectors", "--dimensions", "99"], "the model's vectors have 16 numbers"),
        (["--format", "vectors", "--dimensions", "9", "--precision", "binary"], "no multiple of 8"),
        (["--format", "sentence-transformers"], "mini text tower's subwords"),
    ],
)
def test_what_cannot_be_is_one_line(shop: Path, tmp_path: Path, options: list[str], reason: str) -> None:
    said = failure("export", str(shop / "model"), str(tmp_path / "out"), *options, "--settings", str(shop))
    assert reason in said
    assert not list(tmp_path.iterdir())


def test_onnx_needs_no_settings_and_a_model(tmp_path: Path) -> None:
    assert "no complete model" in failure("export", str(tmp_path / "none"), str(tmp_path / "out"))
    assert "no gradus.toml" in failure(
        "export", str(tmp_path / "none"), str(tmp_path / "out"), "--format", "vectors"
    )


def test_an_open_clip_checkpoint_is_imported_and_trained_on(tmp_path: Path) -> None:
    pytest.importorskip("transformers", reason="needs the hf extra")
    import torch
    from test_open_clip import small, tokenizer

    torch.save({"state_dict": small().state_dict()}, tmp_path / "epoch_3.pt")
    arguments = ["import-open-clip", str(tmp_path / "epoch_3.pt"), str(tmp_path / "clip")]
    assert "--tokenizer" in failure(*arguments)
    said = output(*arguments, "--tokenizer", str(tokenizer(tmp_path / "words")))
    assert f'text = "{tmp_path / "clip"}"' in said
    shop = make_shop(tmp_path / "shop", ("title", "picture"))
    clip = str(tmp_path / "clip")
    flags = {"encoder.text": clip, "encoder.image": clip, "encoder.dimensions": 8, "training.epochs": 1}
    train(read_settings(shop).with_values(flags), tmp_path / "model")
    shutil.rmtree(tmp_path / "clip")  # the model is complete without it
    assert command("evaluate", str(tmp_path / "model"), "--settings", str(shop)).exit_code == 0
