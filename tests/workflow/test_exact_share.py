"""The share of exact terms is what held-out queries and documents ask for."""

from pathlib import Path

import numpy as np
import pytest
from tiny_shop import make_shop

from gradus.encoders.exact_terms import SHARES
from gradus.encoders.saving import load_model, save_model
from gradus.evaluation.cells import evaluate_cells
from gradus.settings import Settings, read_settings
from gradus.workflow.data import load_data
from gradus.workflow.training import train


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_shop(tmp_path_factory.mktemp("exact") / "shop", ("title",), "both")


def settings_of(shop: Path) -> Settings:
    return read_settings(shop).with_values(
        {"encoder.exact_terms": 64, "split.validation": 0.3, "training.epochs": 1}
    )


def test_the_share_is_the_best_on_the_validation_cells(shop: Path) -> None:
    settings = settings_of(shop)
    data = load_data(settings)
    model = load_model(train(settings, shop / "run", data=data).model)
    assert model.exact is not None
    chosen = float(model.exact.share)
    queries = model.prepare("query", data.judgments.queries)
    documents = model.prepare("document", data.documents)
    values = []
    for share in SHARES:
        model.exact.share.fill_(share)
        vectors = model.embed("query", queries), model.embed("document", documents)
        cells = data.split.validation_cells()
        found = evaluate_cells("tiny", *vectors, data.judgments, cells, ["nDCG@10"], 10).cells.values()
        values.append(np.mean([cell.per_query["nDCG@10"].mean() for cell in found]))
    assert max(values) > min(values)
    assert chosen == pytest.approx(SHARES[int(np.argmax(values))])


def test_a_model_without_a_share_can_be_gone_on_from(shop: Path) -> None:
    settings = settings_of(shop)
    first = train(settings, shop / "first").model
    model = load_model(first)
    assert model.exact is not None
    model.exact.share.fill_(0.0)
    save_model(model, first, {})
    again = train(settings.with_values({"training.start": str(first)}), shop / "second").model
    known = load_model(again)
    assert known.exact is not None
    assert min(abs(float(known.exact.share) - share) for share in SHARES) < 1e-6
