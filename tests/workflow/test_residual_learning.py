"""What the residual is for: documents that read alike and do not do alike."""

from pathlib import Path

import numpy as np

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
