"""What the residual is for: documents that read alike and do not do alike."""

from pathlib import Path

import numpy as np

from gradus.catalog.table import Table
from gradus.encoders.saving import load_model
from gradus.settings import read_settings
from gradus.workflow.evaluation import evaluate
from gradus.workflow.training import train

KINDS = ("bolt", "washer", "nut", "spring")
COPIES = 8


def shop(folder: Path) -> Path:
    """Documents of four kinds whose texts are all alike within a kind, in a fixed order of merit."""
    rng = np.random.default_rng(0)
    documents, judgments = ["doc_id,title"], ["query_id,query,doc_id,score,query_split,doc_split"]
    for kind in KINDS:
        for number, rank in enumerate(rng.permutation(COPIES)):
            documents.append(f"{kind}{number},{kind}")
            for query in (f"{kind}", f"steel {kind}", f"{kind} cheap"):
                score = 1 - rank / COPIES
                judgments.append(f"{query},{query},{kind}{number},{score},train,train")
    (folder / "catalog.csv").write_text("\n".join(documents) + "\n")
    (folder / "judgments.csv").write_text("\n".join(judgments) + "\n")
    (folder / "gradus.toml").write_text(
        '[catalog.fields]\ntitle = { type = "text" }\n[split]\nvalidation = 0.0\n'
        "[encoder]\ndimensions = 32\n[training]\nepochs = 150\nlearning_rate = 0.02\n"
    )
    return folder


def in_domain(folder: Path, residual: float, out: str) -> float:
    settings = read_settings(shop(folder)).with_values({"encoder.residual": residual})
    train(settings, folder / out)
    evaluation = evaluate(settings, folder / out)
    return evaluation.cells["in-domain"].intervals["nDCG@10"].mean


def test_equal_documents_are_ordered_by_their_evidence(tmp_path):
    """Content alone leaves each kind's order to chance; the residual learns it."""
    learned, chance = in_domain(tmp_path, 0.001, "with"), in_domain(tmp_path, 0.0, "without")
    assert learned > 0.97
    assert chance < 0.93


def vague(folder: Path) -> Path:
    """Two queries whose words say nothing of what is meant, and one that is new."""
    kinds = {"it": "bolt", "that": "washer"}
    (folder / "catalog.csv").write_text(
        "doc_id,title\n" + "".join(f"{k}{n},{k} {n}\n" for k in kinds.values() for n in "abcdef")
    )
    judged = [
        f"{query},thing {query},{kind}{n},1,train,train" for query, kind in kinds.items() for n in "abcdef"
    ]
    (folder / "judgments.csv").write_text(
        "\n".join(["query_id,query,doc_id,score,query_split,doc_split", *judged]) + "\n"
    )
    (folder / "gradus.toml").write_text(
        '[catalog.fields]\ntitle = { type = "text" }\n[split]\nvalidation = 0.0\n'
        "[encoder]\ndimensions = 32\nquery_residual = 0.001\n[training]\nepochs = 60\n"
    )
    return folder


def test_a_known_query_is_recognised_by_its_words(tmp_path):
    settings = read_settings(vague(tmp_path))
    encoder = load_model(train(settings, tmp_path / "run").model)
    assert encoder.query_residual is not None
    asked = Table(
        ["1", "2", "3"], encoder.fields["query"], {"query": ["Thing  IT", "thing that", "new thing"]}
    )
    prepared = encoder.prepare("query", asked)
    assert prepared.evidence.tolist() == [0, 1, -1]
    vectors = encoder.embed("query", prepared)
    learned = encoder.query_residual.vectors.detach().norm(dim=1)
    assert (learned > 0.01).all()
    encoder.query_residual = None
    words = encoder.embed("query", encoder.prepare("query", asked))
    np.testing.assert_allclose(vectors[2], words[2], atol=1e-6)
    assert (np.abs(vectors[:2] - words[:2]).max(axis=1) > 0.01).all()
