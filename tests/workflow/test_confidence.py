from pathlib import Path

import numpy as np
import pytest
from tiny_shop import make_shop, read, write

from gradus.errors import SettingsError
from gradus.settings import read_settings
from gradus.workflow.data import load_data
from gradus.workflow.training import make_batches


def _shop(folder: Path, low: float, high: float) -> Path:
    shop = make_shop(folder)
    rows = read(shop / "judgments.csv")
    for row in rows:
        sure = row["score"] == "1.0"
        row["low"], row["high"] = (row["score"], row["score"]) if sure else (str(low), str(high))
    write(shop / "judgments.csv", rows)
    return shop


@pytest.mark.parametrize("name", ["many-to-many", "pairwise"])
def test_a_weight_is_multiplied_by_the_confidence(tmp_path: Path, name: str) -> None:
    settings = read_settings(_shop(tmp_path / "shop", 0.0, 0.75)).with_values({"objective.name": name})
    data = load_data(settings)
    plain = make_batches(data, settings)
    careful = make_batches(data, settings.with_values({"objective.confidence": True}))
    assert set(plain.weight.tolist()) - {0.0} == {0.5, 1.0}
    np.testing.assert_allclose(careful.weight, np.where(plain.weight == 0.5, 0.5 * (1 - 0.75), plain.weight))


def test_intervals_that_say_nothing_leave_nothing(tmp_path: Path) -> None:
    shop = _shop(tmp_path / "shop", 0.0, 1.0)
    write(shop / "judgments.csv", [r | {"low": "0", "high": "1"} for r in read(shop / "judgments.csv")])
    settings = read_settings(shop).with_values({"objective.confidence": True})
    with pytest.raises(SettingsError, match=r"objective\.confidence leaves no training pair"):
        make_batches(load_data(settings), settings)


def test_a_changed_interval_is_other_data(tmp_path: Path) -> None:
    settings = read_settings(_shop(tmp_path / "shop", 0.0, 0.75))
    before = load_data(settings).fingerprint(settings)
    settings = read_settings(_shop(tmp_path / "shop", 0.0, 0.8))
    assert load_data(settings).fingerprint(settings) != before
