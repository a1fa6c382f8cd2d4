"""The back-test from a log on the disk: what it trains on, what it measures on, what it says and refuses."""

import json
import shutil
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_shop import answer, failure, output

import gradus.workflow.cadence
from gradus.catalog.fields import Field
from gradus.catalog.table import Table
from gradus.errors import LogError, SettingsError
from gradus.insight.cadence_result import read_cadence
from gradus.judgments.clicks.score import score_clicks
from gradus.judgments.judgments import Judgments
from gradus.judgments.simulation.policy import Policy
from gradus.judgments.simulation.simulate import Simulation, simulate_cells
from gradus.judgments.simulation.traffic import Traffic
from gradus.judgments.simulation.truth import Truth, wandering
from gradus.judgments.simulation.users import PBM
from gradus.judgments.simulation.write import write_log
from gradus.progress import silent
from gradus.settings import Settings, read_settings
from gradus.workflow.cadence import backtest
from gradus.workflow.dated_evidence import DatedEvidence, read_dated

NOW = datetime(2026, 12, 1, tzinfo=UTC)
QUERIES, DOCUMENTS = 24, 12
TOML = """
[catalog.fields]
title = { type = "text" }
[encoder]
dimensions = 16
vocabulary = 256
residual = 0.001
[split]
validation = 0.0
[training]
epochs = 40
batch = 12
learning_rate = 0.02
device = "cpu"
precision = "float32"
[log]
path = "clicks/log.parquet"
[clicks]
estimator = "ctr"
[cadence]
history = 1
ages = ["1", "2", "3"]
repeats = 2
loss = 0.1
"""


def truth(days: int, renewal: float) -> Truth:
    """Every query finds every document, none better than another but for an appeal that comes and goes."""
    query, document = (each.ravel() for each in np.indices((QUERIES, DOCUMENTS)))
    names = [f"query {row}" for row in range(QUERIES)], [f"d{row}" for row in range(DOCUMENTS)]
    plain = Truth(*names, query, document, np.full(len(query), 0.5))
    return wandering(plain, 0.25, renewal, days, seed=1)


def make_shop(folder: Path, days: int, renewal: float = 0.6, impressions: int = 60_000) -> Path:
    """A shop whose log is as long as it is said to be."""
    folder.mkdir()
    (folder / "gradus.toml").write_text(TOML)
    rows = [f"d{row},part number {row}" for row in range(DOCUMENTS)]
    (folder / "catalog.csv").write_text("\n".join(["doc_id,title", *rows]) + "\n")
    simulation = Simulation(
        truth(days, renewal),
        PBM(0),
        Policy(),
        traffic=Traffic(days, zipf=0),
        impressions=impressions,
        page=12,
    )
    write_log(folder / "clicks", simulation, "flat")
    return folder


def settings_of(shop: Path, **values: Any) -> Settings:
    return read_settings(shop).with_values({key.replace("__", "."): value for key, value in values.items()})


def dated(days: int = 16, **values: Any) -> DatedEvidence:
    """Evidence of some days in windows of 4, without a file."""
    given = {"cadence.window_days": 4, "cadence.history": 2, "clicks.estimator": "ctr"}
    settings = Settings().with_values(given | {key.replace("__", "."): v for key, v in values.items()})
    simulation = Simulation(
        truth(days, 0.5), PBM(0), Policy(), traffic=Traffic(days, zipf=0.5), impressions=20_000, page=12
    )
    cells = simulate_cells(simulation, by_day=True)
    documents = Table(
        [f"d{row}" for row in range(DOCUMENTS)], (Field("title"),), {"title": ["x"] * DOCUMENTS}
    )
    queries = Table(list(cells.queries), (Field("query"),), {"query": list(cells.queries)})
    return DatedEvidence(settings, documents, queries, cells, date(2026, 1, 5), days // 4)


def test_training_sees_the_windows_before_and_nothing_after() -> None:
    log = dated()
    data = log.before(3)
    day = log.day
    cells = log.cells.take((day >= 4) & (day < 12))  # windows 1 and 2 of 0 to 3
    expected = score_clicks(cells, log.settings.clicks).scores
    assert data.judgments.score == pytest.approx(expected.score)
    assert data.judgments.query.tolist() == expected.query.tolist()
    everything = replace(log, settings=log.settings.with_values({"cadence.history": 0})).before(3)
    assert score_clicks(log.cells.take(day < 12), log.settings.clicks).scores.score == pytest.approx(
        everything.judgments.score
    )
    assert log.begins(3) == date(2026, 1, 17)


def test_queries_that_nobody_had_asked_yet_are_unknown() -> None:
    log = dated()
    late = 5
    kept = (log.cells.query != late) | (log.day >= 12)
    data = replace(log, cells=log.cells.take(kept)).before(3)
    assert set(data.split.query_part[np.arange(QUERIES) != late]) == {"train", "validation"}
    assert data.split.query_part[late] == "novel"
    assert set(data.split.document_part) <= {"train", "validation"}  # the catalogue is there


def test_age_is_counted_from_the_day_of_the_training() -> None:
    plain, fading = dated(), dated(log__half_life=4.0)
    day = plain.day
    cells = plain.cells.take((day >= 4) & (day < 12))
    factor = 0.5 ** ((11 - day[(day >= 4) & (day < 12)]) / 4.0)
    clicks, impressions = cells.clicks * factor, cells.impressions * factor
    pairs, row = np.unique(cells.pair, return_inverse=True)
    rate = np.bincount(row, clicks) / np.bincount(row, impressions)
    found = (
        replace(fading, settings=fading.settings.with_values({"clicks.prior": "none"})).before(3).judgments
    )
    assert len(found) == len(pairs)
    undiscounted = np.bincount(row, cells.clicks) / np.bincount(row, cells.impressions)
    assert np.corrcoef(found.score, rate)[0, 1] > 0.995 > np.corrcoef(found.score, undiscounted)[0, 1]
    assert np.abs(found.score - plain.before(3).judgments.score).max() > 0.02


def test_a_window_is_judged_by_what_happened_in_it() -> None:
    log = dated(clicks__prior="none")  # without a prior, and without positions, pairs share nothing
    found = log.within([1, 3])
    assert list(found) == [1, 3]
    for window, judgments in found.items():
        alone = score_clicks(log.cells.take(log.day // 4 == window), log.settings.clicks).scores
        assert judgments.query.tolist() == alone.query.tolist()
        assert judgments.document.tolist() == alone.document.tolist()
        assert judgments.score == pytest.approx(alone.score)


def test_days_after_the_last_whole_window_are_left_out(tmp_path: Path) -> None:
    shop = make_shop(tmp_path / "shop", days=17, impressions=3000)
    settings = settings_of(shop, cadence__window_days=5)
    log = read_dated(settings, NOW, silent)
    assert (log.start, log.windows) == (date(2026, 1, 5), 3)
    assert sorted(set(log.day.tolist())) == list(range(17))
    assert len(log.within([2])[2]) > 0
    assert not any(part.name.startswith(".") for part in shop.iterdir())


def test_what_cannot_be_measured_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = make_shop(tmp_path / "shop", days=16, impressions=2000)
    with pytest.raises(
        LogError, match=r"holds 2 whole windows of 7 days, and a back-test needs 3: 1 to train on"
    ):
        backtest(settings_of(shop), shop / "out", now=NOW)
    with pytest.raises(LogError, match=r"needs 7: 1 to train on, 5 to grow old"):
        backtest(settings_of(shop, cadence__ages=["5"]), shop / "out", now=NOW)
    for ages in (["0"], ["1", "soon"], ["-1", "2"]):
        with pytest.raises(SettingsError, match=r"cadence\.ages is .*at least one above 0"):
            backtest(settings_of(shop, cadence__ages=ages), shop / "out", now=NOW)
    with pytest.raises(SettingsError, match=r"cadence\.modes has 'half'; choose among full, warm, queries"):
        backtest(settings_of(shop, cadence__modes=["half"]), shop / "out", now=NOW)
    less_is_better = settings_of(shop, evaluation__metrics=["RankOfBest@10", "nDCG@10"])
    with pytest.raises(SettingsError, match=r"begins with RankOfBest@10.*put another first"):
        backtest(less_is_better, shop / "out", now=NOW)
    monkeypatch.chdir(shop)
    assert "name a log in log.path" in failure("cadence", "--log.path", "")
    assert "2 whole windows" in failure("cadence")
    # Documents that never moved: no log can tell attention from attraction by that.
    said = failure("cadence", "--cadence.window_days", "4", "--clicks.estimator", "auto")
    assert "judging each window by itself (a greater cadence.window_days holds more): this log cannot" in said
    assert not (shop / "cadence").exists()


def test_a_window_without_a_judged_query_goes_without_the_arms_measured_on_it_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ages 1 to 3 and the refresh of the oldest exist for the last window alone, and 1 and 2 for the one before."""
    shop = make_shop(tmp_path / "shop", days=35, impressions=20_000)
    judged = DatedEvidence.within

    def nothing_in_the_last(log: DatedEvidence, windows: list[int]) -> dict[int, Judgments]:
        found = judged(log, windows)
        last = found[max(windows)]
        return found | {max(windows): last.take(np.zeros(len(last.score), np.bool_))}

    monkeypatch.setattr(DatedEvidence, "within", nothing_in_the_last)
    found = backtest(settings_of(shop, training__epochs=1), shop / "out", now=NOW)
    assert [age.age for age in found.ages] == [1, 2]
    assert found.unmeasured == (3,)
    assert [refresh.mode for refresh in found.refreshes] == ["full"]


@pytest.mark.slow
def test_from_a_log_to_the_cheapest_cadence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two thirds of what makes a document wanted is new each week: models age fast, and a refresh helps."""
    shop = make_shop(tmp_path / "shop", days=42)
    monkeypatch.chdir(shop)
    found = answer("cadence", "--out", "cadence")
    assert found == json.loads((shop / "cadence" / "cadence.json").read_text())
    cadence = read_cadence(shop / "cadence" / "cadence.json")
    # Windows 4 and 5 of 0 to 5; 5 has fresh models of ages 0 to 3, made at 5, 4, 3, 2; 4 those at 4, 3, 2, 1.
    assert cadence.measured_on == ("2026-02-02", "2026-02-09")
    models = {path.name for path in (shop / "cadence" / "models").iterdir()}
    starts = ("2026-01-12", "2026-01-19", "2026-01-26", "2026-02-02", "2026-02-09")
    assert models == {f"full-{day}" for day in starts} | {
        f"{mode}-{day}" for mode in ("warm", "queries") for day in starts[-2:]
    }
    assert cadence.trainings == len(models)
    assert [each.age for each in cadence.ages] == [1, 2, 3]
    assert cadence.goes_stale
    assert cadence.ages[0].loss.low > 0
    full, warm, queries = cadence.refreshes
    assert (full.documents, warm.documents, queries.documents) == (DOCUMENTS, DOCUMENTS, 0)
    assert full.cpu_seconds > warm.cpu_seconds > 0
    # Documents' appeal has moved, and only a refresh that moves documents follows it.
    assert warm.loss.mean < queries.loss.mean
    assert (shop / "cadence" / "cadence.svg").exists()

    # What is trained is not trained again; what was cut short is.
    shutil.rmtree(shop / "cadence" / "models" / "warm-2026-02-09")
    trained: list[str] = []
    train = gradus.workflow.cadence.train
    monkeypatch.setattr(
        gradus.workflow.cadence,
        "train",
        lambda s, run, **more: (trained.append(run.name), train(s, run, **more)),
    )
    said = output("cadence", "--out", "cadence", "--cadence.loss", "0.05", "--evaluation.depth", "12")
    assert trained == ["warm-2026-02-09"]
    assert "A model loses" in said
    again = read_cadence(shop / "cadence" / "cadence.json")
    assert (again.ages, again.per_window) == (cadence.ages, cadence.per_window)
    output(
        "cadence",
        "--out",
        "cadence",
        "--training.epochs",
        "2",
        "--cadence.modes",
        "full",
        "--cadence.repeats",
        "1",
    )
    assert trained[1:] == [f"full-{day}" for day in starts[1:]]
