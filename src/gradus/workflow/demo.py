"""The demo: generated drawings, a baseline and a graded model trained side by side, and a report."""

import json
import platform
import shlex
import shutil
import sys
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from gradus import __version__
from gradus.catalog.samples import write_drawings
from gradus.errors import SettingsError
from gradus.evaluation.comparison import Comparison, compare
from gradus.evaluation.results import Evaluation, write_evaluation
from gradus.files import atomic_file
from gradus.insight.examples import choose_examples
from gradus.insight.plots import read_curve
from gradus.insight.report import Report, Training, headline, show_p, show_relative, write_report
from gradus.progress import Progress, silent
from gradus.settings import Settings, read_settings
from gradus.workflow.data import Data, load_data
from gradus.workflow.demo_clicks import judge_clicks
from gradus.workflow.evaluation import evaluate
from gradus.workflow.training import TrainingSummary, train

MODELS: dict[str, dict[str, Any]] = {
    "baseline": {"objective.name": "info-nce", "objective.weight": "constant", "training.batch": 1024},
    "gradus": {"objective.name": "many-to-many", "objective.weight": "linear"},
}
"""What is trained, and what each has for itself; everything else is the same for both."""

EPOCHS = {"baseline": 4, "gradus": 40}
"""Passes, where no time is given: over all pairs and over all documents, about a minute each on two cores. A busy machine
takes longer and finds the same."""

QUERY = "m8 hex bolt stainless"

_MARKER = "demo.json"
_LIMITS = (
    "The catalogue is generated. Real documents have worse pictures, longer texts and gaps; what counts is "
    "your own catalogue, measured the same way.",
    "The judgments are the true relevance that the drawings were generated with, without noise. Clicks and "
    "ratings are noisy and biased, and the gain from graded training depends on how good they are.",
    "Training and measurement use the same kind of score. A gain in these metrics is a gain for people as "
    "far as the scores say what people want.",
    "Each model was trained once, with one seed. The intervals hold the chance in which queries were asked, "
    "not the chance in training.",
    "The baseline is the habit of the field: pairs in a batch, each with the same weight. It is the same "
    "encoder, but neither model was tuned for these data. A batch of pairs encodes a document once for each of "
    "its pairs, so that an epoch of pairs is as long as many of documents. With more training the difference "
    "may change.",
    "Both are small encoders trained from scratch within minutes. Pretrained encoders start higher, and what "
    "they gain from graded training has to be measured on its own.",
)


@dataclass(frozen=True)
class DemoSummary:
    """What the demo came to.

    Attributes:
        report: The report.
        lines: What was found and what to do next, in words.
        comparisons: Every metric in every cell.
    """

    report: Path
    lines: list[str]
    comparisons: list[Comparison]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"report": str(self.report), "comparisons": [asdict(row) for row in self.comparisons]}


def demo(
    out: Path, *, documents: int = 4000, minutes: float = 0.0, seed: int = 0, progress: Progress = silent
) -> DemoSummary:
    """Train a baseline and a graded model on generated drawings for equally long, and compare them.

    What an earlier demo wrote to `out` is replaced; its drawings are kept where they are the same.

    Args:
        out: Gets `drawings/`, `models/baseline/`, `models/gradus/`, `report.html`, a simulated log in `clicks/`,
            what it was judged to be in `judged/`, and `demo.json`, by which a later demo knows that these are
            its own.
        documents: How many drawings.
        minutes: Training time of each model. 0 goes by `EPOCHS`: the same numbers on any machine, up to rounding.
        seed: Seed of data and training.
        progress: Told about each stage.

    Raises:
        SettingsError: `minutes` is below 0, or `out` holds files of these names that no demo wrote.
        GradusError: There are too few documents to train on or to compare.
    """
    if not minutes >= 0:
        raise SettingsError(f"minutes is {minutes}; it must be 0 or more")
    _draw(out, documents, seed, progress)
    settings = read_settings(out / "drawings" / "gradus.toml").with_values({"split.seed": seed})
    data = load_data(settings)
    trainings, evaluations = [], []
    for name in MODELS:
        model = out / "models" / name
        if model.exists():
            shutil.rmtree(model)
        chosen = settings.with_values(_values(name, minutes, seed))

        def told(stage: str, done: int, total: int, note: str = "", name: str = name) -> None:
            progress(f"{name}: {stage}", done, total, note)

        summary = train(chosen, model, progress=told, data=data)
        trainings.append(_training(name, chosen, summary, model / "metrics.jsonl"))
        evaluation = evaluate(chosen, model, progress=told, data=data)
        write_evaluation(evaluation, model / "evaluation")
        evaluations.append(evaluation)
    progress("report", 0, 1, "")
    comparisons = compare(evaluations, settings.evaluation.metrics)
    commands = _commands(out, len(data.documents), minutes, seed)
    report = _report(data, evaluations, comparisons, trainings, commands)
    write_report(report, out / "report.html")
    progress("report", 1, 1, "")
    clicks = judge_clicks(settings, data, out, seed, progress)
    return DemoSummary(out / "report.html", _lines(out, report, *clicks), comparisons)


def _values(name: str, minutes: float, seed: int) -> dict[str, Any]:
    """What is set for a model."""
    length = {"training.minutes": minutes} if minutes else {"training.epochs": EPOCHS[name]}
    return MODELS[name] | length | {"training.seed": seed, "split.seed": seed}


def _draw(out: Path, documents: int, seed: int, progress: Progress) -> None:
    """Have the drawings in `out`: those of an earlier demo where they are the same, else new ones."""
    marker, folder = out / _MARKER, out / "drawings"
    wanted = {"gradus": __version__, "documents": documents, "seed": seed}
    drawn = None
    if marker.exists():
        try:
            drawn = json.loads(marker.read_text(encoding="utf-8")).get("drawings")
        except (ValueError, AttributeError):
            drawn = None  # damaged: it still says whose the folder is
    else:
        models = (out / "models" / name for name in MODELS)
        for taken in (folder, *models, out / "report.html", out / "clicks", out / "judged"):
            if taken.exists():
                raise SettingsError(f"{taken} was not written by the demo; name another folder with --out")
    if drawn == wanted and folder.is_dir():
        return
    # Until the drawings are there, the marker says only whose the folder is.
    _mark(marker, None)
    write_drawings(folder, documents, seed, None, lambda done, total: progress("drawings", done, total, ""))
    _mark(marker, wanted)


def _mark(marker: Path, drawings: dict[str, Any] | None) -> None:
    with atomic_file(marker) as aside:
        aside.write_text(json.dumps({"drawings": drawings}, indent=2) + "\n", encoding="utf-8")


def _training(name: str, settings: Settings, summary: TrainingSummary, metrics: Path) -> Training:
    return Training(
        {
            "objective": settings.objective.name,
            "score-to-weight function": settings.objective.weight,
            "batch": f"{settings.training.batch:,}",
            "training time": f"{summary.seconds:.0f} s",
            "epochs": f"{summary.epochs:,}",
            "steps": f"{summary.steps:,}",
            "best validation nDCG@10": "–" if summary.validation is None else f"{summary.validation:.3f}",
        },
        read_curve(name, metrics),
    )


def _report(
    data: Data,
    evaluations: list[Evaluation],
    comparisons: list[Comparison],
    trainings: list[Training],
    commands: list[str],
) -> Report:
    baseline, system = evaluations
    metric = comparisons[0].metric
    # Cells come in the order of what training has seen: the last one is the hardest.
    cell = [row.cell for row in comparisons if row.metric == metric][-1]
    return Report(
        title="Generated drawings of mechanical parts",
        introduction=(
            f"Two models learned to search {len(data.documents):,} drawings with queries in words and pictures, "
            "in English and Japanese. They share encoder, data and budget: training took "
            f"{' and '.join(each.facts['training time'] for each in trainings)}. "
            "The baseline takes every judged pair as equally good; gradus learns how good each one is."
        ),
        baseline=baseline,
        system=system,
        comparisons=comparisons,
        metric=metric,
        judgments=data.judgments,
        split=data.split,
        examples=choose_examples(baseline, system, data.judgments, cell, metric),
        examples_cell=cell,
        trainings=trainings,
        commands=commands,
        versions={
            "gradus": __version__,
            **{package: version(package) for package in ("torch", "numpy", "matplotlib")},
            "Python": platform.python_version(),
            "on": f"{platform.system()} {platform.machine()}",
        },
        limits=_LIMITS,
    )


def _commands(out: Path, documents: int, minutes: float, seed: int) -> list[str]:
    """The demo in one command, and the same in single steps."""
    program, drawings = _program(), out / "drawings"
    shared = f"--settings {_quoted(drawings / 'gradus.toml')}"
    models = {name: out / "models" / name for name in MODELS}
    both = " ".join(_quoted(model) for model in models.values())
    length = f" --minutes {minutes:g}" if minutes else ""
    return [
        f"{program} demo --out {_quoted(out)} --documents {documents}{length} --seed {seed}",
        "",
        "# or step by step, in an empty folder:",
        f"{program} sample drawings {_quoted(drawings)} --documents {documents} --seed {seed}",
        *(
            f"{program} train --out {_quoted(model)} {shared} {_flags(_values(name, minutes, seed))}"
            for name, model in models.items()
        ),
        f"{program} evaluate {both} {shared} {_flags({'split.seed': seed})}",
        f"{program} compare {both} {shared}",
    ]


def _flags(values: dict[str, Any]) -> str:
    return " ".join(f"--{key} {value}" for key, value in values.items())


def _lines(out: Path, report: Report, clicks: str, audit: Path | None) -> list[str]:
    program, width = _program(), max(len(row.cell) for row in report.leading)
    found = [
        f"  {row.cell:<{width}}  {report.metric}  {row.baseline_mean:.3f} → {row.system_mean:.3f}"
        f"  {show_relative(row):>7}  (p {show_p(row.p_value)}, {row.queries:,} queries)"
        for row in report.leading
    ]
    settings, model = _quoted(out / "drawings" / "gradus.toml"), _quoted(out / "models" / "gradus")
    return [
        f"{headline(report.leading)}:",
        *found,
        "",
        *clicks.splitlines(),
        "",
        f"The report:          {out / 'report.html'}",
        *([] if audit is None else [f"What clicks tell:    {audit}"]),
        f"Search:              {program} search {model} {shlex.quote(QUERY)} --settings {settings}",
        f"The search page:     {program} serve {model} --settings {settings}, then open the address that it names",
        f"Your own catalogue:  {program} init CATALOGUE, then {program} check, {program} train, {program} evaluate",
    ]


def _program() -> str:
    """`gradus` where the shell finds it, else the path of the one that belongs to this Python."""
    beside = Path(sys.executable).parent / "gradus"
    if shutil.which("gradus") or not beside.exists():
        return "gradus"
    return _quoted(beside.relative_to(Path.cwd()) if beside.is_relative_to(Path.cwd()) else beside)


def _quoted(path: Path) -> str:
    return shlex.quote(path.as_posix())
