"""The proof of concept: runs what is missing, decides, and writes a report that a manager reads and an engineer audits."""

import hashlib
import json
import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

import gradus
from gradus.errors import EvaluationError, GradusError, MissingExtraError, SettingsError
from gradus.evaluation.metrics import parse_metric
from gradus.evaluation.results import Evaluation, read_evaluation
from gradus.evaluation.segments import query_segments
from gradus.files import atomic_file
from gradus.insight.bench import Bench
from gradus.insight.cadence_result import FILE as CADENCE
from gradus.insight.cadence_result import Cadence, read_cadence, write_cadence
from gradus.insight.cost import cost_of, decided
from gradus.insight.cost_inputs import cost_inputs
from gradus.insight.cost_range import spread_costs, tornado
from gradus.insight.cost_sheet import write_cost_csv, write_cost_xlsx
from gradus.insight.examples import Example, choose_examples, paired
from gradus.insight.kpi import KpiLink, Kpis, link_kpis, read_kpis
from gradus.insight.paper import fonts
from gradus.insight.poc import Money, Poc
from gradus.insight.poc_page import write_poc
from gradus.insight.poc_summary import write_summary
from gradus.insight.verdict import Verdict
from gradus.insight.verdict_words import Language
from gradus.judgments.read import read_evidence
from gradus.progress import Progress, silent
from gradus.settings import Settings, to_mapping
from gradus.settings.pipelines import Pipelines, read_pipelines
from gradus.workflow.bench import RESULTS, all_metrics, bench
from gradus.workflow.cadence import backtest
from gradus.workflow.data import Data, load_data
from gradus.workflow.judging import FILES
from gradus.workflow.poc_decision import (
    Sides,
    contest,
    give_verdict,
    measured_costs,
    shared_cells,
    values_by_query,
)

NOISE = "noise.json"

T = TypeVar("T")


@dataclass(frozen=True)
class Asked:
    """What a proof of concept is asked for, beside its pipelines; what is empty is left to rules or left out.

    Attributes:
        title: What was searched, in a few words; the folder's name if empty.
        in_use: The pipeline in use.
        candidates: The pipelines that stand against it.
        kpi: Numbers of the business per query, in place of `decision.kpi`.
        cadence: A folder of `gradus cadence`, in place of a back-test.
        study: A folder of `gradus study noise`.
    """

    title: str = ""
    in_use: str = ""
    candidates: Sequence[str] = ()
    kpi: Path | None = None
    cadence: Path | None = None
    study: Path | None = None


@dataclass(frozen=True)
class Written:
    """What came of it: the proof of concept, and file by file what was written."""

    poc: Poc
    files: tuple[Path, ...]


def prove(
    file: Path,
    out: Path,
    asked: Asked | None = None,
    language: Language = "en",
    *,
    progress: Progress = silent,
) -> Written:
    """Measure, decide and report.

    Args:
        file: What `read_pipelines` reads.
        out: Gets `report.html`, `report.json`, `summary.png`, `cost.xlsx` (`cost.csv` without XlsxWriter), and what
            was run: `bench/` and, where the settings name a log, `cadence/`. What is there and depends on nothing
            that changed is not run again.
        asked: What else is asked for.
        language: Of the page and the spreadsheet.
        progress: Told about each stage.

    Raises:
        GradusError: An input cannot be used; the type and the message say which and why. A section that cannot be
            measured is no error: the report says what is missing.
    """
    asked = asked or Asked()
    pipelines = read_pipelines(file)
    settings = pipelines.settings
    # What can be wrong is read before hours of measuring.
    sides = contest(pipelines.pipelines, asked.in_use, asked.candidates)
    _check_metric(settings)
    cost_inputs(settings.cost, settings.sla)
    kpi = asked.kpi or (settings.resolve(settings.decision.kpi) if settings.decision.kpi else None)
    kpis = None if kpi is None else read_kpis(kpi)
    if asked.cadence is not None:
        read_cadence(asked.cadence / CADENCE)
    if asked.study is not None and _read_json(asked.study / NOISE) is None:
        raise EvaluationError(f"{asked.study / NOISE} holds no study; write one with: gradus study noise")
    measured = bench(file, out / "bench", progress=progress)
    maker = _Maker(file, out, asked, language, pipelines, load_data(settings), measured, kpi, kpis)
    cadence = maker.cadence(progress)
    progress("report", 0, 1, "")
    poc = maker.proof(sides, cadence)
    write_poc(poc, out, language)
    files = [out / "report.html", out / "report.json"]
    if poc.verdict is not None and "summary" not in poc.failures:
        write_summary(poc, out / "summary.png", language)
        files.append(out / "summary.png")
    if poc.money is not None:
        files.append(_write_costs(poc.money, out, poc.cost.currency, language))
    progress("report", 1, 1, "")
    return Written(poc, tuple(files))


def _check_metric(settings: Settings) -> None:
    """The metric that decides is among those that will be measured, and more of it is better."""
    metric = settings.decision.metric
    known = [
        name
        for name in all_metrics(settings.evaluation.metrics, settings.evaluation.depth)
        if parse_metric(name).higher_is_better
    ]
    if metric not in known:
        raise SettingsError(
            f"decision.metric is {metric!r}, which decides nothing here; put it into evaluation.metrics, or choose one of "
            f"{', '.join(known)}"
        )


@dataclass
class _Maker:
    """Puts the parts together; what cannot be had becomes a gap."""

    file: Path
    out: Path
    asked: Asked
    language: Language
    pipelines: Pipelines
    data: Data
    bench: Bench
    kpi: Path | None
    kpis: Kpis | None
    failures: dict[str, str] = field(default_factory=dict)

    @property
    def settings(self) -> Settings:
        return self.pipelines.settings

    def cadence(self, progress: Progress) -> Cadence | None:
        """The back-test, or a gap that says why not."""
        return self._tried("cadence", lambda: self._cadence(progress))

    def proof(self, sides: Sides | None, cadence: Cadence | None) -> Poc:
        """All parts together."""
        settings, verdict, money = self.settings, None, None
        examples: tuple[str, list[Example]] = ("", [])
        links: list[KpiLink] = []
        if sides is not None:
            in_use, candidates = sides
            names = [in_use.name, *(candidate.name for candidate in candidates)]
            found = {name: self._evaluation(name) for name in names}
            verdict = self._tried("verdict", lambda: self._verdict(sides, found))
            if verdict is not None:
                money = self._tried("cost", lambda: self._money(verdict))
                examples = self._examples(verdict, found)
                links = self._tried("kpi", lambda: self._links(found[in_use.name])) or []
        self._tried("summary", lambda: fonts(japanese=self.language == "ja"))
        audit = _read_json(settings.resolve(settings.judgments.path).parent / FILES["audit"])
        noise = _read_json((self.asked.study or settings.root / "study") / NOISE)
        return Poc(
            title=self.asked.title or self.file.resolve().parent.name,
            bench=self.bench,
            decision=settings.decision,
            sla=settings.sla,
            cost=settings.cost,
            verdict=verdict,
            money=money,
            cadence=cadence,
            audit=audit,
            noise=noise,
            examples=examples[1],
            examples_cell=examples[0],
            links=links,
            commands=self._commands(cadence is not None),
            files=dict(self._hashes()),
            failures=self.failures,
        )

    def _tried(self, section: str, make: Callable[[], T]) -> T | None:
        """A part, or a gap that says why not."""
        try:
            return make()
        except GradusError as error:
            self.failures[section] = str(error)
            return None

    def _evaluation(self, name: str) -> Evaluation:
        folder = next(result.folder for result in self.bench.pipelines if result.name == name)
        return read_evaluation(self.out / "bench" / folder / "evaluation")

    def _verdict(self, sides: Sides, found: dict[str, Evaluation]) -> Verdict:
        queries = self.data.judgments.queries
        kinds = query_segments(self.data.judgments, read_evidence(self.settings, queries))
        return give_verdict(
            sides, found, self.bench, kinds, queries, self.settings.decision, self.settings.sla
        )

    def _money(self, verdict: Verdict) -> Money:
        results, answer = {result.name: result for result in self.bench.pipelines}, verdict.overall
        in_use, alone = results[verdict.reference.name], results[answer.alone.name]
        chosen = answer.at(answer.depth or 0) if answer.action == "fewer" else None
        fewer = None if chosen is None else results[chosen.name]
        measured = measured_costs(self.bench, in_use, alone, fewer)
        inputs = cost_inputs(self.settings.cost, self.settings.sla, measured, fewer=fewer is not None)
        values = cost_of(inputs)
        bars = tornado(inputs, f"{decided(values)}saving")
        return Money(inputs, values, spread_costs(inputs, seed=self.bench.seed), bars)

    def _examples(self, verdict: Verdict, found: dict[str, Evaluation]) -> tuple[str, list[Example]]:
        """Lists of both, from the cell in which the first stage alone does worst against the pipeline in use."""
        in_use, alone = found[verdict.reference.name], found[verdict.overall.alone.name]
        metric = verdict.decision.metric

        def gain(cell: str) -> float:
            _, before, after = paired(in_use, alone, cell, metric)
            return float(np.mean(after - before)) if len(before) else np.inf

        cell = min(shared_cells([in_use, alone]), key=gain)
        return cell, choose_examples(in_use, alone, self.data.judgments, cell, metric)

    def _links(self, in_use: Evaluation) -> list[KpiLink]:
        """KPIs were earned by the pipeline in use, so they are held against its metrics."""
        decision = self.settings.decision
        if self.kpis is None:
            return []
        ids, values = values_by_query(in_use)
        metrics = {metric: column for metric, column in values.items() if np.isfinite(column).any()}
        lower = [metric for metric in metrics if not parse_metric(metric).higher_is_better]
        return link_kpis(ids, metrics, self.kpis, [*decision.kpi_less, *lower], seed=self.bench.seed)

    def _cadence(self, progress: Progress) -> Cadence | None:
        if self.asked.cadence is not None:
            return read_cadence(self.asked.cadence / CADENCE)
        log = self.settings.log
        if not log.path:
            return None
        folder = self.out / "cadence"
        note = _Note(folder / "asked.json", self._cadence_key())
        if note.holds:
            try:
                return read_cadence(folder / CADENCE)
            except EvaluationError:
                pass
        found = backtest(self.settings, folder, progress=progress)
        write_cadence(found, folder / CADENCE)
        note.write()
        return found

    def _cadence_key(self) -> str:
        """Names the settings and, by size and time, the files of the log and of what was searched."""
        settings = self.settings
        named = (settings.log.path, settings.log.queries, settings.catalog.path, settings.query.path)
        files = [path for name in named if name for path in _files(settings.resolve(name))]
        stats = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in files]
        whole = json.dumps([gradus.__version__, to_mapping(settings), stats], sort_keys=True)
        return hashlib.sha256(whole.encode()).hexdigest()

    def _commands(self, dated: bool) -> list[str]:
        """The report in one command, and its parts in single ones."""
        file, asked = shlex.quote(str(self.file)), self.asked
        words = ["gradus poc", file, "--out", shlex.quote(str(self.out))]
        for flag, value in (
            ("--lang", "" if self.language == "en" else self.language),
            ("--title", asked.title),
            ("--in-use", asked.in_use),
            *(("--candidate", name) for name in asked.candidates),
            ("--kpi", asked.kpi),
            ("--cadence", asked.cadence),
            ("--study", asked.study),
        ):
            words += [flag, shlex.quote(str(value))] if value else []
        settings = shlex.quote(str(self.pipelines.settings_file))
        parts = [f"gradus bench {file} --out {shlex.quote(str(self.out / 'bench'))}"]
        if dated and asked.cadence is None:
            parts.append(
                f"gradus cadence --settings {settings} --out {shlex.quote(str(self.out / 'cadence'))}"
            )
        return [" ".join(words), *parts]

    def _hashes(self) -> Iterator[tuple[str, str]]:
        """SHA-256 of each file that the report rests on."""
        settings, results = self.settings, self.out / "bench"
        named = (settings.catalog.path, settings.query.path, settings.judgments.path)
        paths = [
            self.file,
            self.pipelines.settings_file,
            *(settings.resolve(name) for name in named if name),
        ]
        for first in self.pipelines.first.values():
            if first.kind == "model":
                paths += sorted((self.pipelines.root / first.model).rglob("model.safetensors"))
            if first.kind == "run":
                paths.append(self.pipelines.root / first.run)
        paths.append(results / RESULTS)
        for result in self.bench.pipelines:
            paths.append(results / result.folder / "evaluation" / "per_query.parquet")
        paths.append((self.asked.cadence or self.out / "cadence") / CADENCE)
        if self.kpi is not None:
            paths.append(self.kpi)
        for file in dict.fromkeys(inside for path in paths for inside in _files(path)):
            with file.open("rb") as content:
                yield str(file), hashlib.file_digest(content, "sha256").hexdigest()


@dataclass(frozen=True)
class _Note:
    """Says beside a finished back-test what it was asked with."""

    path: Path
    key: str

    @property
    def holds(self) -> bool:
        found = _read_json(self.path)
        return found is not None and found.get("key") == self.key

    def write(self) -> None:
        with atomic_file(self.path) as aside:
            aside.write_text(json.dumps({"key": self.key}) + "\n", encoding="utf-8")


_TABLES = (".csv", ".tsv", ".json", ".jsonl", ".parquet", ".gz", ".txt", ".qrels")


def _files(path: Path) -> list[Path]:
    """A file, or the tables in a folder; nothing where there is neither."""
    if path.is_dir():
        return sorted(inside for inside in path.iterdir() if inside.suffix.lower() in _TABLES)
    return [path] if path.is_file() else []


def _read_json(path: Path) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found


def _write_costs(money: Money, out: Path, currency: str, language: Language) -> Path:
    try:
        write_cost_xlsx(money.inputs, out / "cost.xlsx", currency, language)
    except MissingExtraError:
        write_cost_csv(money.inputs, out / "cost.csv", currency, language)
        return out / "cost.csv"
    return out / "cost.xlsx"
