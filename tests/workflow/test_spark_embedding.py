"""Embedding on Spark in its local mode: the vectors of one process, in the same order."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from tiny_shop import make_shop

from gradus.catalog.fields import Field
from gradus.catalog.read import open_catalog
from gradus.catalog.table import Table
from gradus.encoders.build import build_encoder
from gradus.encoders.field_parts import FieldParts
from gradus.encoders.saving import load_model, save_model
from gradus.errors import MissingExtraError, ModelError
from gradus.settings import EncoderSettings, Settings, read_settings
from gradus.workflow import spark
from gradus.workflow.vectors import document_parts, document_vectors

pytest.importorskip("pyspark", reason="Spark is an extra: pip install 'gradus[spark]'")
needs_java = pytest.mark.skipif(shutil.which("java") is None, reason="Spark needs Java")

FIELDS = (Field("title"), Field("picture", "image"))


def make(folder: Path) -> tuple[Settings, Path]:
    """A shop with pictures, and an untrained model with all that a document's vector can be made of."""
    make_shop(folder, ("title", "picture"), "both")
    settings = read_settings(folder)
    documents = open_catalog(settings)
    fields = {"query": (Field("query"),), "document": FIELDS}
    encoder = build_encoder(
        EncoderSettings(dimensions=16, pixels=32, exact_terms=16),
        fields,
        documents.columns["title"],
        evidence=documents.take(range(5)),
    )
    assert encoder.residual is not None
    encoder.residual.vectors.data.normal_(std=0.2)
    save_model(encoder, folder / "model", {})
    return settings, folder / "model"


@pytest.mark.slow
@needs_java
def test_spark_gives_the_vectors_of_one_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spark, "_BLOCK", 5)  # several partitions, of several blocks
    settings, model = make(tmp_path / "shop")
    encoder, documents = load_model(model), open_catalog(settings)
    # A picture that the catalogue holds itself, one that is missing, and a title that is.
    columns = {name: list(values) for name, values in documents.columns.items()}
    columns["picture"][3] = columns["picture"][3].read_bytes()
    columns["picture"][4] = columns["title"][5] = None
    documents = Table(documents.ids, documents.fields, columns)
    there = settings.with_values({"index.embed": "spark", "index.spark": "local[2]"})
    with spark._session("local[2]") as session:  # the calls below take it up
        for of in (document_vectors, document_parts):
            here = of(settings, model, encoder, documents)
            shutil.rmtree(settings.resolve(".gradus"))
            np.testing.assert_allclose(of(there, model, encoder, documents), here, atol=1e-6)
            shutil.rmtree(settings.resolve(".gradus"))
            parts = FieldParts.of(encoder)
            wanted = (parts.count, 16) if of is document_parts else (16 + 16,)
            assert here.shape == (len(documents), *wanted)
        # The model has to be the same wherever it is read.
        monkeypatch.setattr(spark, "document_side", lambda folder: "another")
        with pytest.raises(
            ModelError, match=r"Spark \(local\[2\]\) could not embed .* is another model than"
        ):
            document_vectors(there, model, encoder, documents)
        assert session.sparkContext.applicationId  # a session of others is left to them


def test_rows_go_out_and_come_back_as_they_were() -> None:
    fields = (
        *(Field("a.b"), Field("kind", "category"), Field("size", "number")),
        *(Field("seen", "image"), Field("drawn", "image")),
    )
    columns = {
        "a.b": ["靴", None, ""],
        "kind": ["nut", None, "bolt"],
        "size": [1.5, None, 3.0],
        "seen": [Path("/a b.png"), None, Path("/c.png")],
        "drawn": [b"PNG", None, Path("/d.png")],
    }
    [batch] = spark._as_arrow(fields, Table(["x", "y", "z"], fields, columns)).to_batches()
    back = spark._as_table(fields, batch)
    assert (list(back.ids), back.columns) == (["x", "y", "z"], columns)


def test_what_spark_says_is_cut_to_its_cause() -> None:
    trace = "[SPARK-1] failed\nTraceback\n  at x\ngradus.errors.ModelError: /m is gone\n\n\tat org.apache"
    assert spark._cause(trace) == "ModelError: /m is gone"
    assert spark._cause("[A] no Java\nmore") == "[A] no Java"


def test_without_the_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyspark.errors", None)
    documents = Table(["x"], (Field("title"),), {"title": ["nut"]})
    with pytest.raises(MissingExtraError, match=r"index.embed = 'spark'.*gradus\[spark\]"):
        spark.embed_on_spark("local", tmp_path, None, documents, np.zeros((1, 2), np.float32))  # type: ignore[arg-type]
