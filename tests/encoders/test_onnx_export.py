"""ONNX graphs answer as the encoder does, in any batch, and what cannot be exported leaves nothing behind."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx", reason="needs the onnx extra")
pytest.importorskip("onnxruntime", reason="needs the onnx extra")
pytest.importorskip("onnxscript", reason="needs the onnx extra")

import onnxruntime  # noqa: E402
import tiny_models as tiny  # noqa: E402

from gradus.catalog.fields import Field  # noqa: E402
from gradus.catalog.table import Table  # noqa: E402
from gradus.encoders.build import build_encoder  # noqa: E402
from gradus.encoders.encoder import Encoder  # noqa: E402
from gradus.encoders.export import onnx_folder  # noqa: E402
from gradus.encoders.export.onnx_encoder import OnnxEncoder  # noqa: E402
from gradus.encoders.export.onnx_folder import write_onnx  # noqa: E402
from gradus.encoders.hf import load_towers  # noqa: E402
from gradus.errors import MissingExtraError, ModelError  # noqa: E402
from gradus.settings import EncoderSettings  # noqa: E402

FIELDS = {
    "query": (Field("query"),),
    # Names as catalogues have them: a dot, a space, another script.
    "document": (Field("題 名.en", weight=3.0), Field("picture", "image"), Field("pads", "number", 0.5)),
}
TITLES = ["hex bolt m8", "六角ナット", None, "brass flange " * 40, "bolt", None]
PADS = [4.0, None, 8.0, 12.0, None, None]
PICTURES = [
    tiny.png(tiny.PICTURES[0]),
    None,
    tiny.png(tiny.PICTURES[1]),
    None,
    tiny.png(tiny.PICTURES[2]),
    None,
]
DOCUMENTS = Table(list("abcdef"), FIELDS["document"], {"題 名.en": TITLES, "picture": PICTURES, "pads": PADS})
QUERIES = Table(["1", "2", "3"], FIELDS["query"], {"query": ["hex", "unknown ナット 9.5mm", None]})


def mini() -> Encoder:
    torch.manual_seed(0)
    pictures = [tiny.png(picture) for picture in tiny.PICTURES]
    texts = ["hex bolt", "hex nut", "六角ナット", "六角ボルト", "4 pads", "8 pads"]
    settings = EncoderSettings(dimensions=16, pixels=32, query_residual=0.01)
    encoder = build_encoder(
        settings, FIELDS, texts, pictures, evidence=DOCUMENTS.take([1, 2]), asked=QUERIES.take([1])
    )
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    return encoder.eval()


def titles_alone() -> Encoder:
    """The least there is to export: one text field on each side."""
    torch.manual_seed(0)
    fields = {"query": FIELDS["query"], "document": FIELDS["document"][:1]}
    return build_encoder(EncoderSettings(dimensions=64), fields, ["hex bolt", "hex nut", "六角ナット"]).eval()


def clip(folder: Path) -> Encoder:
    tiny.save_clip(folder)
    torch.manual_seed(0)
    return Encoder(FIELDS, load_towers(str(folder), str(folder)), 12, True).eval()


@pytest.fixture(scope="module", params=["mini", pytest.param("clip", marks=pytest.mark.slow)])
def exported(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Encoder, Path]:
    folder = tmp_path_factory.mktemp(request.param)
    encoder = mini() if request.param == "mini" else clip(folder)
    assert write_onnx(encoder, folder / "onnx") < 5e-5
    return encoder, folder / "onnx"


@pytest.mark.parametrize("batch", [1, 2, 6])
def test_documents_and_queries_are_the_encoders(exported: tuple[Encoder, Path], batch: int) -> None:
    encoder, folder = exported
    graphs = OnnxEncoder(folder, encoder)
    # Descriptions of mini's pictures are rounded to half precision by the encoder and not by the graph.
    tolerance = 2e-4 if encoder.residual is not None else 1e-5
    for side, table in (("query", QUERIES), ("document", DOCUMENTS)):
        expected = encoder.embed(side, encoder.prepare(side, table))
        found = graphs.embed(side, graphs.prepare(side, table), batch=batch)
        np.testing.assert_allclose(found, expected, atol=1e-5 if side == "query" else tolerance)
        # The same features, unrounded, through PyTorch.
        own = encoder.embed(side, graphs.prepare(side, table))
        np.testing.assert_allclose(found, own, atol=5e-5 if encoder.residual is not None else 1e-5)
        alive = np.linalg.norm(expected, axis=1)
        np.testing.assert_allclose(alive[:-1], 1, atol=1e-5)
        assert alive[-1] == np.linalg.norm(found[-1]) == 0  # a row without any field


def test_a_program_with_the_description_alone_gets_the_fields_vectors(exported: tuple[Encoder, Path]) -> None:
    encoder, folder = exported
    about = json.loads((folder / "export.json").read_text(encoding="utf-8"))
    session = onnxruntime.InferenceSession(folder / "text.onnx")
    declared = about["graphs"]["text.onnx"]["inputs"]
    assert [each.name for each in session.get_inputs()] == [each["name"] for each in declared]
    if about["preprocessing"]["text"]["kind"] == "tokenizer":
        from tokenizers import Tokenizer

        ids = Tokenizer.from_file(str(folder / about["preprocessing"]["text"]["tokenizer"])).encode(
            "hex bolt"
        )
        fed = {"input_ids": np.array([ids.ids]), "attention_mask": np.array([ids.attention_mask])}
    else:
        row = encoder.towers["text"].subwords.encode(["hex bolt"])
        fed = {"rows": row.row[None].astype(np.int64), "factors": row.factor[None]}
    assert {each["name"]: each["dtype"] for each in declared} == {n: v.dtype.name for n, v in fed.items()}
    (vector,) = session.run(["vector"], fed)
    table = Table(["q"], FIELDS["query"], {"query": ["hex bolt"]})
    np.testing.assert_allclose(vector, encoder.embed("query", encoder.prepare("query", table)), atol=1e-5)


def test_every_input_is_described(exported: tuple[Encoder, Path]) -> None:
    _, folder = exported
    graphs = json.loads((folder / "export.json").read_text(encoding="utf-8"))["graphs"]
    assert set(graphs) == {"query.onnx", "document.onnx", "text.onnx", "image.onnx"}
    for name, about in graphs.items():
        onnx.checker.check_model(folder / name)
        described = [each for field in about.get("fields", []) for each in field["inputs"]] + about["inputs"]
        actual = onnxruntime.InferenceSession(folder / name).get_inputs()
        kinds = {"float32": "tensor(float)"}
        assert [(e["name"], kinds.get(e["dtype"], f"tensor({e['dtype']})")) for e in described] == [
            (e.name, e.type) for e in actual
        ]
        for each, input_ in zip(described, actual, strict=True):
            fixed = [length if isinstance(length, int) else None for length in input_.shape]
            assert fixed == [length if isinstance(length, int) else None for length in each["shape"]]


def test_filling_gives_numbers_as_int8_needs_them(exported: tuple[Encoder, Path]) -> None:
    # One NaN in a batch would spoil the range that the whole batch is brought to 8 bits with.
    _, folder = exported
    graphs = json.loads((folder / "export.json").read_text(encoding="utf-8"))["graphs"]
    for name in ("text.onnx", "image.onnx"):
        fed = {}
        for each in graphs[name]["inputs"]:
            lengths = {"batch": 2, "tokens": 1}
            shape = [lengths.get(length, length) for length in each["shape"]]
            fed[each["name"]] = np.full(shape, each["fill"], each["dtype"])
        (vectors,) = onnxruntime.InferenceSession(folder / name).run(None, fed)
        assert np.isfinite(vectors).all()


def test_a_number_is_told_as_the_encoder_reads_it(exported: tuple[Encoder, Path]) -> None:
    _, folder = exported
    graphs = json.loads((folder / "export.json").read_text(encoding="utf-8"))["graphs"]
    (wording,) = [field["text"] for field in graphs["document.onnx"]["fields"] if field["type"] == "number"]
    assert wording % 12.0 == "12 pads"


def test_graphs_share_weights_and_tell_nothing_of_this_machine(exported: tuple[Encoder, Path]) -> None:
    encoder, folder = exported
    own = sum(p.numel() * 4 for p in [*encoder.towers.parameters(), *encoder.towers.buffers()])
    assert (folder / "weights.bin").stat().st_size < 1.1 * own
    for path in folder.glob("*.onnx"):
        assert b"site-packages" not in path.read_bytes()
        assert b".py" not in path.read_bytes()


def test_residuals_stand_beside_the_graphs(tmp_path: Path, exported: tuple[Encoder, Path]) -> None:
    encoder, folder = exported
    if encoder.residual is None:
        assert not (folder / "residual.parquet").exists()
        return
    table = pyarrow.parquet.read_table(folder / "residual.parquet")
    assert table["id"].to_pylist() == ["b", "c"]
    residual = np.array(table["vector"].to_pylist(), np.float32)
    session = onnxruntime.InferenceSession(folder / "document.onnx")
    graphs = OnnxEncoder(folder, encoder)
    prepared = graphs.prepare("document", DOCUMENTS)
    (content,) = session.run(None, graphs.graphs["document"].arrays(prepared, np.array([1, 2])))
    known = content + residual
    known /= np.linalg.norm(known, axis=1, keepdims=True)
    np.testing.assert_allclose(known, encoder.embed("document", prepared, np.array([1, 2])), atol=5e-5)
    assert np.abs(known - content).max() > 1e-2
    asked = pyarrow.parquet.read_table(folder / "query_residual.parquet")
    assert asked["id"].to_pylist() == ['["unknown ナット 9.5mm"]']
    assert graphs.prepare("query", QUERIES).evidence.tolist() == [-1, 0, -1]


def test_int8_is_smaller_and_near(tmp_path: Path) -> None:
    encoder = titles_alone()
    write_onnx(encoder, tmp_path / "small", "int8")
    subwords = encoder.towers["text"].subwords.size
    numbers = sum(parameter.numel() for parameter in encoder.towers.parameters())
    # One byte a number, but for the weights of single subwords (and norms, biases: hundreds of bytes).
    assert (tmp_path / "small" / "weights.bin").stat().st_size < numbers + 3 * subwords + 1000
    graphs = OnnxEncoder(tmp_path / "small", encoder)
    table = Table(
        list("abcd"), FIELDS["query"], {"query": ["hex bolt m8", "六角ナット", "brass flange", "4 pads"]}
    )
    found = graphs.embed("query", graphs.prepare("query", table))
    own = encoder.embed("query", encoder.prepare("query", table))
    assert (found * own).sum(axis=1).min() > 0.99
    assert np.abs(found - own).max() > 1e-4


def test_a_graph_that_differs_is_refused_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trace = onnx_folder.trace

    def damaged(graph: Any, arrays: Any) -> Any:
        model = trace(graph, arrays)
        for tensor in model.graph.initializer:
            if "hidden" in tensor.name and len(tensor.dims) == 2:
                value = onnx.numpy_helper.to_array(tensor) * np.float32(1.01)
                tensor.CopyFrom(onnx.numpy_helper.from_array(value, tensor.name))
        return model

    monkeypatch.setattr(onnx_folder, "trace", damaged)
    with pytest.raises(ModelError, match=r"query\.onnx gives vectors that differ .* nothing was written"):
        write_onnx(titles_alone(), tmp_path / "onnx")
    assert not list(tmp_path.iterdir())


def test_an_earlier_export_stays_when_a_new_one_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "onnx").mkdir()
    (tmp_path / "onnx" / "export.json").write_text("as it was")

    def fails(*_: Any, **__: Any) -> None:
        raise RuntimeError("no such operator")

    monkeypatch.setattr(torch.onnx, "export", fails)
    with pytest.raises(ModelError, match="cannot export the query graph to ONNX: no such operator"):
        write_onnx(titles_alone(), tmp_path / "onnx")
    assert [path.name for path in tmp_path.rglob("*")] == ["onnx", "export.json"]


def test_a_folder_of_something_else_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "of.png").write_text("the sea")
    with pytest.raises(ModelError, match="photos is there already and is no earlier export"):
        write_onnx(titles_alone(), tmp_path / "photos")
    assert (tmp_path / "photos" / "of.png").read_text() == "the sea"


def test_a_network_that_cuts_its_own_grid_is_refused(tmp_path: Path) -> None:
    tiny.save_siglip2(tmp_path)
    fields = {"query": (Field("query"),), "document": (Field("picture", "image"),)}
    encoder = Encoder(fields, load_towers(str(tmp_path), str(tmp_path)), 16, False)
    with pytest.raises(ModelError, match="a siglip2 image tower cannot be exported to ONNX"):
        write_onnx(encoder, tmp_path / "onnx")
    assert not (tmp_path / "onnx").exists()


def test_exact_terms_are_no_part_of_a_network(tmp_path: Path) -> None:
    fields = {"query": FIELDS["query"], "document": FIELDS["document"][:1]}
    encoder = build_encoder(EncoderSettings(dimensions=8, exact_terms=32), fields, ["hex bolt", "hex nut"])
    with pytest.raises(ModelError, match=r"exact terms beside .* encoder\.exact_terms = 0"):
        write_onnx(encoder, tmp_path / "onnx")


def test_a_missing_library_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingExtraError, match=r"gradus\[onnx\]"):
        write_onnx(titles_alone(), tmp_path / "onnx")
