"""Sweeps of a tiny shop, with a clock that makes every step cost the same."""

import json
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from tiny_shop import answer, failure, make_shop, output, read, write

from gradus.errors import GradusError, JudgmentsError, ModelError, SettingsError
from gradus.objectives.registry import OBJECTIVES
from gradus.settings import Settings, read_settings
from gradus.training.task import kind_of
from gradus.workflow import sweep as sweeps
from gradus.workflow.data import load_data
from gradus.workflow.sweep import sweep
from gradus.workflow.sweep_grid import Candidate, make_grid
from gradus.workflow.training import TrainingSummary

TICK = 1 / 64  # sums of it are exact
SMALL = {
    "sweep.objectives": ("many-to-many", "info-nce"),
    "sweep.weights": ("linear", "constant"),
    "sweep.temperatures": ("0.07", "0.3"),
    "sweep.minutes": 24 * TICK / 60,
}


def ticking() -> Callable[[], float]:
    """A clock that moves on each time it is read."""
    ticks = count()
    return lambda: TICK * next(ticks)


def shop(folder: Path, values: dict[str, object] | None = None) -> Settings:
    return read_settings(make_shop(folder / "shop")).with_values(SMALL | (values or {}))


def keys(settings: Settings) -> list[tuple[str, str, float]]:
    return [candidate.key[:3] for candidate in make_grid(settings, load_data(settings))]


def test_the_grid_holds_what_differs(tmp_path: Path) -> None:
    settings = shop(
        tmp_path,
        {
            "sweep.objectives": ("many-to-many", "per-positive", "info-nce", "cosent"),
            "sweep.weights": ("linear", "power:2", "power:1", "constant", "steps:0.6=1"),
            "sweep.temperatures": ("0", "0.07", "0.2", "0.2"),
        },
    )
    grid = make_grid(settings, load_data(settings))
    # Scores are 1 and 0.5, so squares keep their order, `constant` does not, and `steps` drops those of 0.5.
    weights = {
        name: {c.weight: c.same for c in grid if c.objective == name} for name in settings.sweep.objectives
    }
    assert weights == {
        "many-to-many": {"linear": ("power:1",), "power:2": (), "constant": (), "steps:0.6=1": ()},
        "per-positive": {"linear": ("power:2", "power:1"), "constant": (), "steps:0.6=1": ()},
        "info-nce": {"linear": ("power:2", "power:1", "constant"), "steps:0.6=1": ()},
        "cosent": {"linear": ("power:2", "power:1"), "constant": (), "steps:0.6=1": ()},
    }
    starts = {c.objective: set[float]() for c in grid}
    for candidate in grid:
        starts[candidate.objective].add(candidate.temperature)
    assert starts["many-to-many"] == {0.07, 0.2}
    assert starts["cosent"] == {OBJECTIVES["cosent"].temperature, 0.07, 0.2}
    assert len({candidate.key for candidate in grid}) == len(grid)


def test_others_are_tried_in_every_combination_that_differs(tmp_path: Path) -> None:
    settings = shop(
        tmp_path,
        {
            "sweep.weights": ("linear",),
            "sweep.temperatures": ("0.07",),
            "sweep.others": (
                "objective.denominator=lower|all",
                "training.field_dropout = 0 | 0.5|0",
                "training.whole_queries=true",
            ),
        },
    )
    grid = make_grid(settings, load_data(settings))
    # info-nce takes no denominator, and has the default again, whichever is tried.
    both = [("many-to-many", d, f) for d in ("lower", "all") for f in (0.0, 0.5)]
    assert [(c.objective, *(value for _, value in c.others)) for c in grid] == [
        *((name, d, f, True) for name, d, f in both),
        *(("info-nce", "lower", f, True) for f in (0.0, 0.5)),
    ]
    made = grid[3].settings(settings)
    assert (made.objective.denominator, made.training.field_dropout) == ("all", 0.5)
    assert made.training.whole_queries
    assert str(grid[3]) == (
        "many-to-many, linear, τ 0.07, objective.denominator all, training.field_dropout 0.5, "
        "training.whole_queries True"
    )


def test_confidence_is_part_of_the_order(tmp_path: Path) -> None:
    settings = shop(tmp_path, {"sweep.objectives": ("per-positive",), "sweep.weights": ("linear", "power:2")})
    path = settings.root / "judgments.csv"
    rows = read(path)
    for place, row in enumerate(rows):
        # A certain 0.5 against a 1 that is certain to 0.4: 0.5 > 0.4, but 0.25 < 0.4.
        wide = row["score"] == "1.0" and place % 2
        row |= {"low": "0.4", "high": "1"} if wide else {"low": row["score"], "high": row["score"]}
    write(path, rows)
    assert len(keys(settings)) == 2
    assert len(keys(settings.with_values({"objective.confidence": True}))) == 4


@pytest.mark.parametrize("name", OBJECTIVES)
def test_a_candidate_keeps_of_the_objective_what_it_takes(name: str) -> None:
    base = Settings().with_values(
        {
            "objective.confidence": True,
            "objective.directions": "query",
            "objective.ranks": 7,
            "objective.masked": "nothing",
            "objective.field_terms": 0.5,
        }
    )
    found = Candidate(name, "log:3", 0.05).settings(base).objective
    kind = kind_of(found)  # refuses nothing
    assert (found.name, found.weight, found.temperature, found.field_terms) == (name, "log:3", 0.05, 0.5)
    assert found.ranks == (7 if name == "rince" else 4)
    assert found.confidence == (kind.weights != "presence")
    assert (found.masked == "nothing") == (kind.batches == "pairs")


@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        ({"sweep.weights": ()}, SettingsError, "sweep.weights is empty"),
        ({"sweep.objectives": ("clip",)}, SettingsError, "sweep.objectives holds 'clip'; choose from many"),
        ({"sweep.temperatures": ("warm",)}, SettingsError, "sweep.temperatures holds 'warm'"),
        ({"sweep.temperatures": ("nan",)}, SettingsError, "sweep.temperatures holds 'nan'"),
        (
            {"sweep.others": ("training.epochs=1|2",)},
            SettingsError,
            "holds 'training.epochs', which is none to try",
        ),
        (
            {"sweep.others": ("objective.name=rince",)},
            SettingsError,
            "'objective.name', which is none to try",
        ),
        ({"sweep.others": ("catalog.path=a|b",)}, SettingsError, "'catalog.path', which is none to try"),
        ({"sweep.others": ("training.lr=1|2",)}, SettingsError, "'training.lr', which is no setting"),
        ({"sweep.others": ("objective.matryoshka=8",)}, SettingsError, "no setting with a single value"),
        (
            {"sweep.others": ("training.ema=0|.9",)},
            SettingsError,
            "training.ema must be of type float, not '.9'",
        ),
        ({"sweep.others": ("training.ema",)}, SettingsError, "training.ema must be of type float, not ''"),
        ({"sweep.others": ("training.ema=0", "training.ema=0.9")}, SettingsError, "'training.ema' twice"),
        (
            {"sweep.others": ("judgments.distilled=no.csv",)},
            JudgmentsError,
            "no .*no.csv; gradus distil writes it",
        ),
        ({"sweep.weights": ("square",)}, JudgmentsError, "unknown score-to-weight function 'square'"),
        ({"sweep.weights": ("steps:1=0",)}, SettingsError, "gives no training pair a weight above 0"),
        ({"split.validation": 0.0}, JudgmentsError, "raise split.validation"),
    ],
)
def test_what_cannot_be_swept_is_refused_before_anything_is_trained(
    tmp_path: Path, values: dict[str, object], error: type[GradusError], message: str
) -> None:
    with pytest.raises(error, match=message):
        sweep(shop(tmp_path, values), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_equal_time_and_a_winner(tmp_path: Path) -> None:
    settings = shop(tmp_path)
    found = sweep(settings, tmp_path / "out", clock=ticking())
    assert [(each.budget * 60, len(each.ranking)) for each in found.rounds] == [(8 * TICK, 6), (24 * TICK, 2)]
    held = json.loads((tmp_path / "out" / "sweep.json").read_text(encoding="utf-8"))
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"sweep.json"}
    # A step's share of the 4 ticks it was priced over is at least a tick, so no training has more steps than ticks.
    for training in found.trainings:
        price = held["seconds_per_step"][training.objective]
        assert (training.steps - 1) * price <= training.minutes * 60 + price
        assert (training.steps + 1) * price >= training.minutes * 60
    lengths = {(each.objective, each.minutes, each.steps) for each in found.trainings}
    assert len(lengths) == len({(objective, minutes) for objective, minutes, _ in lengths})
    values = [value for _, value in found.rounds[-1].ranking]
    assert held["winner"]["objective"] == found.winner.objective
    assert values == sorted(values, reverse=True)
    assert found.settings == found.winner.settings(settings)
    assert [candidate for candidate, _ in found.table()][:2] == [c for c, _ in found.rounds[-1].ranking]
    assert [len(values) for _, values in found.table()] == [2, 2, 1, 1, 1, 1]


class KilledError(Exception):
    """Stands for the end of the process."""


@pytest.mark.parametrize("after", [9, 23, 31])
def test_a_sweep_that_was_stopped_ends_as_one_that_was_not(tmp_path: Path, after: int) -> None:
    settings = shop(tmp_path)
    sweep(settings, tmp_path / "whole", clock=ticking())
    left = count(after, -1)

    def die(stage: str, done: int, total: int, note: str = "") -> None:
        if stage == "training" and next(left) == 0:
            raise KilledError

    with pytest.raises(KilledError):
        sweep(settings, tmp_path / "cut", progress=die, clock=ticking())
    done = json.loads((tmp_path / "cut" / "sweep.json").read_text(encoding="utf-8"))["trainings"]
    assert len(done) < 8
    # What a killed process leaves behind.
    (tmp_path / "cut" / ".training" / "model").mkdir(parents=True)
    (tmp_path / "cut" / ".sweep.json.half").write_text("{", encoding="utf-8")
    trained = []

    def watch(stage: str, done: int, total: int, note: str = "") -> None:
        if stage == "preparing" and done == 0:
            trained.append(note)

    found = sweep(settings, tmp_path / "cut", progress=watch, clock=ticking())
    assert len(found.trainings) == 8
    assert len(trained) <= 8 - len(done) + 1
    files = [(tmp_path / name / "sweep.json").read_bytes() for name in ("whole", "cut")]
    assert files[0] == files[1]
    assert [path.name for path in (tmp_path / "cut").iterdir()] == ["sweep.json"]


def test_other_settings_or_data_are_noticed_and_another_grid_is_not(tmp_path: Path) -> None:
    settings = shop(tmp_path, {"sweep.objectives": ("many-to-many",), "sweep.weights": ("linear",)})
    out = tmp_path / "out"
    sweep(settings, out, clock=ticking())
    before = len(json.loads((out / "sweep.json").read_text(encoding="utf-8"))["trainings"])
    assert before == 2
    wider = settings.with_values(
        {"sweep.temperatures": ("0.07", "0.3", "0.9"), "objective.name": "cosent", "evaluation.depth": 7}
    )
    assert len(sweep(wider, out, clock=ticking()).trainings) == 3
    with pytest.raises(ModelError, match="was swept with other settings or data"):
        sweep(settings.with_values({"encoder.dimensions": 8}), out)
    rows = read(settings.root / "judgments.csv")
    write(settings.root / "judgments.csv", rows[:-1])
    with pytest.raises(ModelError, match="was swept with other settings or data"):
        sweep(settings, out)
    (out / "sweep.json").write_text('{"fingerprint": 1}', encoding="utf-8")
    with pytest.raises(ModelError, match="is no sweep to go on with"):
        sweep(settings, out)


def test_others_are_trained_as_they_say_priced_alone_and_found_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = shop(tmp_path, {"sweep.objectives": ("many-to-many",), "sweep.weights": ("linear",)})
    write(
        settings.root / "told.csv",
        [
            {
                "query_id": "new",
                "query": "green nut",
                "doc_id": read(settings.root / "catalog.csv")[0]["doc_id"],
                "score": "1",
            }
        ],
    )
    pairs = len(load_data(settings).training)
    seen = []
    real = sweeps.train

    def noted(how: Settings, out: Path, **named: Any) -> TrainingSummary:
        seen.append((how.judgments.distilled, how.encoder.dimensions, len(named["data"].training) - pairs))
        return real(how, out, **named)

    monkeypatch.setattr(sweeps, "train", noted)
    values = {
        "sweep.temperatures": ("0.07",),
        "sweep.others": ("judgments.distilled=|told.csv", "encoder.dimensions=8"),
    }
    found = sweep(settings.with_values(values), tmp_path / "out", clock=ticking())
    # Each is trained to price its steps and then to be measured; what was distilled adds a pair.
    assert seen == [("", 8, 0)] * 2 + [("told.csv", 8, 1)] * 2
    held = json.loads((tmp_path / "out" / "sweep.json").read_text(encoding="utf-8"))
    assert list(held["seconds_per_step"]) == [
        "many-to-many, judgments.distilled , encoder.dimensions 8",
        "many-to-many, judgments.distilled told.csv, encoder.dimensions 8",
    ]
    assert held["winner"]["others"] == dict(found.winner.others)
    assert [each["others"]["judgments.distilled"] for each in held["trainings"]] == ["", "told.csv"]
    # What is tried has no part in what all trainings share, so that a winner in the file changes nothing.
    written = values | {"judgments.distilled": "told.csv", "encoder.dimensions": 8}
    assert sweep(settings.with_values(written), tmp_path / "out").trainings == found.trainings
    assert len(seen) == 4
    wider = values | {"sweep.others": ("judgments.distilled=|told.csv", "encoder.dimensions=8|4")}
    again = sweep(settings.with_values(wider), tmp_path / "out", clock=ticking())
    # Of the two of before, neither the price nor the training of the last round's length is made again.
    assert seen[4:].count(("", 8, 0)) == seen[4:].count(("told.csv", 8, 1)) == 1
    late = [each for each, _ in again.rounds[-1].ranking if dict(each.others)["encoder.dimensions"] == 4]
    assert len(again.trainings) == 2 + 4 + len(late)


def test_a_training_that_fails_is_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = shop(tmp_path, {"sweep.objectives": ("many-to-many",)})
    real = sweeps.train
    unmeasured = []

    def breaks(how: Settings, out: Path, **named: Any) -> TrainingSummary:
        summary = real(how, out, **named)
        if summary.validation is None:
            unmeasured.append(summary)
        elif how.objective.weight == "linear":
            raise ModelError("the loss became nan at step 3")
        return summary

    monkeypatch.setattr(sweeps, "train", breaks)
    found = sweep(settings, tmp_path / "out", clock=ticking())
    assert len(unmeasured) == 1  # the training that priced a step validates nothing
    assert found.winner.weight == "constant"
    assert [t.failure for t in found.trainings if t.weight == "linear"] == [
        "the loss became nan at step 3"
    ] * 2
    # Of the first, the steps that its price was measured with are not counted.
    assert len({t.steps for t in found.trainings if t.minutes == found.rounds[0].budget}) == 1
    with pytest.raises(ModelError, match=r"no candidate could be trained; many-to-many, linear, .* the loss"):
        sweep(settings.with_values({"sweep.weights": ("linear",)}), tmp_path / "out", clock=ticking())


def test_the_command_writes_the_winner(tmp_path: Path) -> None:
    toml = make_shop(tmp_path / "shop") / "gradus.toml"
    toml.write_text(
        toml.read_text(encoding="utf-8")
        + '[objective]\nranks = 5  # of rince\nname = "rince" # so far\n\n'
        + '[sweep]\nobjectives = ["pairwise"]\nweights = ["linear"]\nminutes = 0.001\n',
        encoding="utf-8",
    )
    before = toml.read_text(encoding="utf-8")
    out = tmp_path / "out"
    shared = ("sweep", "--settings", str(toml), "--out", str(out), "--sweep.temperatures", "0.2")
    dry = answer(*shared, "--no-write")
    assert toml.read_text(encoding="utf-8") == before
    assert (dry["winner"]["objective"], dry["written"]) == ("pairwise", False)
    assert dry["changes"] == {
        "objective.name": "pairwise",
        "objective.weight": "linear",
        "objective.temperature": 0.2,
        "objective.ranks": None,
    }
    text = output(*shared)
    assert "Best: pairwise, linear, τ 0.2\n" in text
    assert "gradus.toml now holds:" in text.replace("\n", "")
    after = toml.read_text(encoding="utf-8")
    expected = 'name = "pairwise" # so far\nweight = "linear"\ntemperature = 0.2\n'
    assert after == before.replace('ranks = 5  # of rince\nname = "rince" # so far\n', expected)
    assert (out / "sweep.svg").read_text(encoding="utf-8").startswith("<?xml")
    others = ("--sweep.others", "training.field_dropout=0.5", "--out", str(tmp_path / "others"))
    assert "training.field_dropout = 0.5" in output(*shared, *others)
    assert "\nfield_dropout = 0.5\n" in toml.read_text(encoding="utf-8")
    assert read_settings(toml).training.field_dropout == 0.5
    # The winner in the file changes nothing of what was swept but ranks, which pairwise does not take.
    assert "was swept with other settings" in failure(*shared)
    assert json.loads((out / "sweep.json").read_text(encoding="utf-8"))["winner"]["weight"] == "linear"
