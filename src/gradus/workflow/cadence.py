"""The back-test of a search's cadence: models as they would have been trained in the past, and what came after them.

For each of the last windows of the log a model is trained on the evidence that ends where the window begins (the
fresh one), and others on evidence that ends 1, 2, 4 … windows earlier; all are measured on the judgments of the
window. The oldest of them is then refreshed on the evidence of the fresh one, once in each mode, and measured too.
"""

import json
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gradus.catalog.image_cache import cache_folder
from gradus.encoders.saving import load_model
from gradus.errors import LogError, SettingsError
from gradus.evaluation.bootstrap import Interval, bootstrap_interval
from gradus.evaluation.cells import evaluate_cells
from gradus.evaluation.metrics import parse_metric
from gradus.files import atomic_file
from gradus.insight.cadence import FRESH, Reading, Refresh, measure_losses, plan
from gradus.insight.cadence_result import Age, Cadence
from gradus.judgments.judgments import Judgments
from gradus.progress import Progress, silent
from gradus.settings import Settings
from gradus.settings.cadence import REFRESHES
from gradus.training.distributed import launched
from gradus.training.loop import Clock
from gradus.training.optimizer import device_of
from gradus.workflow.data import Data
from gradus.workflow.dated_evidence import DatedEvidence, read_dated
from gradus.workflow.training import train
from gradus.workflow.vectors import query_vectors

Vectors = NDArray[np.float32]

_NOTHING_LOST = Interval(0.0, 0.0, 0.0, 0)


def backtest(
    settings: Settings,
    out: Path,
    *,
    progress: Progress = silent,
    clock: Clock | None = None,
    now: datetime | None = None,
) -> Cadence:
    """Measure how fast models of a search go stale, and what it takes to keep them fresh.

    Args:
        settings: The search; `[log]` and `[clicks]` say what the evidence is, `[cadence]` what is measured.
        out: Gets the models, under `models/`. Those of an earlier run that was stopped are not trained again.
        progress: Told about each model.
        clock: Seconds, from any origin, that the cost of a refresh is measured with. Processor time where training
            computes on the processor, wall-clock time elsewhere, if not given.
        now: The moment after which nothing can have happened; the present when `None`.

    Raises:
        SettingsError: No log is named, a setting cannot be used, or a launcher started several processes.
        LogError: The log is too short, has no times, or cannot be judged.
        GradusError: Another input cannot be used; the type and the message say which and why.
    """
    if launched()[1] > 1:
        raise SettingsError("a back-test runs in one process; start it without torchrun")
    ages, modes = _ages(settings.cadence.ages), _modes(settings.cadence.modes)
    leading = settings.evaluation.metrics[0]
    if not parse_metric(leading).higher_is_better:
        raise SettingsError(
            f"evaluation.metrics begins with {leading}, of which less is better, and a loss is a share of what a fresh "
            "model has; put another first, such as nDCG@10"
        )
    if clock is None:
        on_processor = device_of(settings.training.device).type == "cpu"
        clock = time.process_time if on_processor else time.monotonic
    evidence = read_dated(settings, now or datetime.now(UTC), progress)
    targets = _targets(evidence.windows, settings, ages)
    measured = sorted({age for found in targets.values() for age in found if age})
    oldest = measured[-1]
    # Where the log is too short for the oldest model of a window, there is none to be refreshed for it.
    bases = {window: window - oldest for window, found in targets.items() if oldest in found}
    cutoffs = sorted({window - age for window, found in targets.items() for age in found})
    bench = _Bench(
        evidence, evidence.within(list(targets)), out / "models", clock, progress,
        total=len(cutoffs) + len(bases) * (len(modes) - 1),
    )  # fmt: skip
    for cutoff in cutoffs:
        windows = {w: FRESH if w == cutoff else str(w - cutoff) for w in targets if w - cutoff in targets[w]}
        bench.full(cutoff, windows, keep=cutoff in bases.values())
    for window, base in bases.items():
        for mode in modes[1:]:
            bench.refreshed(mode, window, base)
    progress("models", bench.total, bench.total, "")
    return _result(
        evidence, targets, measured, [age for age in ages if age not in measured and age], modes, bench
    )


def _result(
    evidence: DatedEvidence,
    targets: dict[int, list[int]],
    measured: list[int],
    unmeasured: list[int],
    modes: Sequence[str],
    bench: "_Bench",
) -> Cadence:
    chosen = evidence.settings.cadence
    losses = measure_losses(bench.readings)
    # A window without a judged query says nothing of the arms that were measured on it alone.
    modes = [mode for mode in modes if mode == "full" or mode in losses.arms]
    unmeasured = sorted({*unmeasured, *(age for age in measured if str(age) not in losses.arms)})
    measured = [age for age in measured if str(age) in losses.arms]
    refreshes = [
        Refresh(
            mode,
            _NOTHING_LOST if mode == "full" else losses.interval(mode),
            float(np.median(bench.seconds[mode])),
            0 if mode == "queries" else len(evidence.documents),
        )
        for mode in modes
    ]
    per_window, plans = plan(refreshes, measured, losses, chosen.loss)
    by_query: dict[str, list[float]] = {}
    for reading in bench.readings:
        if reading.arm == FRESH:
            for query, value in reading.values.items():
                by_query.setdefault(query, []).append(value)
    return Cadence(
        metric=evidence.settings.evaluation.metrics[0],
        window_days=chosen.window_days,
        history=chosen.history,
        windows=evidence.windows,
        start=evidence.start.isoformat(),
        measured_on=tuple(evidence.begins(window).isoformat() for window in sorted(targets)),
        trainings=bench.total,
        fresh=bootstrap_interval([float(np.mean(values)) for values in by_query.values()]),
        ages=tuple(Age(age, losses.interval(str(age))) for age in measured),
        unmeasured=tuple(unmeasured),
        per_window=per_window,
        allowed=chosen.loss,
        refreshes=tuple(refreshes),
        plans=plans,
    )


@dataclass
class _Bench:
    """Trains models as of moments of the past and measures them on windows after.

    Attributes:
        evidence: The log.
        judged: Window → its judgments.
        folder: Where the models are.
        clock: What costs are measured with.
        progress: Told about each model.
        total: Models in all.
        readings: What was measured so far.
        seconds: Mode → what each training in it took, with the embedding of documents where there is any.
        vectors: Cutoff → the documents' vectors of models that will be refreshed.
    """

    evidence: DatedEvidence
    judged: dict[int, Judgments]
    folder: Path
    clock: Clock
    progress: Progress
    total: int
    done: int = 0
    readings: list[Reading] = field(default_factory=list)
    seconds: dict[str, list[float]] = field(default_factory=dict)
    vectors: dict[int, Vectors] = field(default_factory=dict)

    def full(self, cutoff: int, windows: dict[int, str], keep: bool) -> None:
        """Train from scratch on the evidence before a cutoff; measure on windows, each with the name of its arm."""
        settings = self.evidence.settings.with_values({"training.start": "", "training.refresh": "all"})
        name = f"full-{self.evidence.begins(cutoff)}"
        vectors = self._trained(name, "full", settings, self.evidence.before(cutoff))
        if keep:
            self.vectors[cutoff] = vectors
        self._measure(name, vectors, windows)

    def refreshed(self, mode: str, window: int, base: int) -> None:
        """Refresh the model of a cutoff on the evidence before a window; measure on the window."""
        settings = self.evidence.settings
        training, share = settings.training, settings.cadence.share
        values = {
            "training.start": str((self.folder / f"full-{self.evidence.begins(base)}").resolve()),
            "training.refresh": "queries" if mode == "queries" else "all",
            "training.minutes": share * training.minutes,
            "training.epochs": max(1, round(share * training.epochs)),
        }
        name = f"{mode}-{self.evidence.begins(window)}"
        fixed = self.vectors[base] if mode == "queries" else None
        vectors = self._trained(name, mode, settings.with_values(values), self.evidence.before(window), fixed)
        self._measure(name, vectors, {window: mode})

    def _trained(
        self, name: str, mode: str, settings: Settings, data: Data, fixed: Vectors | None = None
    ) -> Vectors:
        """Train a model unless it is there; return its documents' vectors, which are `fixed` where it kept those."""
        self.progress("models", self.done, self.total, name)
        self.done += 1
        run = self.folder / name
        read = ("catalog", "query", "split", "encoder", "objective", "training")
        own = Settings(**{section: getattr(settings, section) for section in read})
        known = _Known(run / "refresh.json", data.fingerprint(own))
        seconds = known.read()
        if seconds is None:
            shutil.rmtree(run, ignore_errors=True)
            before = self.clock()
            train(settings, run, data=data, progress=self.progress)
            seconds = self.clock() - before
        before = self.clock()
        if fixed is None:
            encoder = load_model(run)
            prepared = encoder.prepare("document", data.documents, cache_folder(settings))
            vectors = encoder.embed("document", prepared)
        else:
            vectors = fixed
        embedding = self.clock() - before
        known.write(seconds)
        self.seconds.setdefault(mode, []).append(seconds + embedding)
        return vectors

    def _measure(self, name: str, documents: Vectors, windows: dict[int, str]) -> None:
        settings = self.evidence.settings
        queries = query_vectors(settings, load_model(self.folder / name), self.evidence.queries)
        everything = np.arange(len(queries)), np.arange(len(documents))
        metric = settings.evaluation.metrics[0]
        for window, arm in windows.items():
            found = evaluate_cells(
                name, queries, documents, self.judged[window], {"all": everything}, [metric],
                settings.evaluation.depth,
            ).cells  # fmt: skip
            if "all" in found:
                values = zip(found["all"].query_ids, found["all"].per_query[metric].tolist(), strict=True)
                self.readings.append(Reading(arm, window, dict(values)))


@dataclass(frozen=True)
class _Known:
    """The note beside a model that says what it was trained with, and what that took."""

    path: Path
    fingerprint: str

    def read(self) -> float | None:
        """Seconds of training; `None` where there is no such model."""
        try:
            found = json.loads(self.path.read_text(encoding="utf-8"))
            return float(found["seconds"]) if found["fingerprint"] == self.fingerprint else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, seconds: float) -> None:
        """Say that the model is complete."""
        text = json.dumps({"fingerprint": self.fingerprint, "seconds": seconds})
        with atomic_file(self.path) as aside:
            aside.write_text(text + "\n", encoding="utf-8")


def _targets(windows: int, settings: Settings, ages: Sequence[int]) -> dict[int, list[int]]:
    """Window that models are measured on → the ages that the log is long enough for there, 0 first."""
    chosen = settings.cadence
    least = chosen.history or 1
    targets = {
        window: [age for age in ages if window - age >= least]
        for window in range(windows - 1, max(windows - 1 - chosen.repeats, -1), -1)
    }
    targets = {window: found for window, found in targets.items() if len(found) > 1}
    if not targets:
        needed = least + ages[1] + 1
        raise LogError(
            f"the log holds {windows} whole windows of {chosen.window_days} days, and a back-test needs {needed}: "
            f"{least} to train on, {ages[1]} to grow old, one to be measured on. Give a longer log, or lower "
            "cadence.history or cadence.window_days"
        )
    return targets


def _ages(given: Sequence[str]) -> list[int]:
    """The ages, ascending, 0 first."""
    try:
        ages = sorted({0, *(int(age) for age in given)})
    except ValueError:
        ages = [-1]
    if ages[0] < 0 or len(ages) < 2:
        raise SettingsError(
            f"cadence.ages is {', '.join(given)!r}; name whole numbers of windows, at least one above 0: 0, 1, 2, 4, 8"
        )
    return ages


def _modes(given: Sequence[str]) -> list[str]:
    """The modes in their order; full, which the others are held against, is always among them."""
    for mode in given:
        if mode not in REFRESHES:
            raise SettingsError(f"cadence.modes has {mode!r}; choose among {', '.join(REFRESHES)}")
    return [mode for mode in REFRESHES if mode == "full" or mode in given]
