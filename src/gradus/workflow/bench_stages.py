"""The stages of a bench: first stages and re-rankers as the file of pipelines declares them, each made once."""

import hashlib
import json
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from gradus.encoders.saving import model_folder
from gradus.evaluation.baselines.bm25 import Bm25Search
from gradus.evaluation.baselines.fusion import POOL, Fusion, Method
from gradus.evaluation.baselines.given_run import GivenRun
from gradus.evaluation.cells import Search, answerable, look_up
from gradus.evaluation.metrics import parse_metric
from gradus.evaluation.rerankers.features import PairFeatures
from gradus.evaluation.runs import read_run
from gradus.insight.bench import Costs
from gradus.progress import Progress
from gradus.settings.pipelines import FirstSettings, Pipelines, PipelineSettings
from gradus.workflow.bench_models import BenchModel, Lesson, train_missing
from gradus.workflow.data import Data, with_distilled
from gradus.workflow.distil import checked, distil
from gradus.workflow.distil_reranker import reranked

STEPS = 10
"""Weights of a weighted fusion are sought in tenths."""


class FirstStages:
    """The first stages of a file of pipelines; nothing is made before it is asked for.

    Args:
        pipelines: The file.
        data: What is searched.
        progress: Told about training and embedding.
    """

    def __init__(self, pipelines: Pipelines, data: Data, progress: Progress) -> None:
        self.pipelines, self.data, self._progress = pipelines, data, progress
        self._models: dict[str, BenchModel] = {}
        self._made: dict[tuple[str, bool], Search | None] = {}
        self._contents: dict[str, str] = {}
        self._weights: dict[str, tuple[float, ...]] = {}
        self._features: dict[str | None, PairFeatures] = {}

    def model(self, name: str) -> BenchModel:
        """A model, trained where it is not there."""
        if name not in self._models:
            settings = self.pipelines.settings.with_values(self.pipelines.over.get(name, {}))
            own = settings.judgments != self.pipelines.settings.judgments
            data = with_distilled(settings, self.data) if own else self.data
            folder = self.pipelines.root / self.pipelines.first[name].model
            record = train_missing(folder, settings, data, self._progress, self._lesson(name))
            self._models[name] = BenchModel(
                folder, record, self.pipelines.settings, self.data, self._progress
            )
        return self._models[name]

    def content(self, name: str) -> str:
        """Names what a first stage is made of: equal contents, equal lists."""
        if name not in self._contents:
            self._contents[name] = self._digest(name)
        return self._contents[name]

    def search(self, name: str) -> Search:
        """A first stage over vectors that were made beforehand."""
        found = self._make(name, live=False)
        assert found is not None  # noqa: S101 - only what is live can be missing
        return found

    def live(self, name: str) -> Search | None:
        """A first stage that encodes queries when it is asked; `None` where a given run is part of it."""
        return self._make(name, live=True)

    def costs(self, name: str) -> Costs:
        """What a first stage takes beside its queries' time; what is in it twice is made once."""
        parts = self.pipelines.parts_of(name)
        teachers = {teacher for part in parts for teacher in self._teachers(part)}.difference(parts)
        total = sum((self._own_costs(part) for part in parts), Costs())
        for teacher in sorted(teachers):
            # A teacher is not there when people search.
            costs = self._own_costs(teacher)
            total += Costs(
                training_seconds=costs.training_seconds, training_cpu_seconds=costs.training_cpu_seconds
            )
        return total

    def weights(self, name: str) -> tuple[float, ...]:
        """The weights of a fusion's parts: the given ones, else equal, or the best on validation for `weighted`."""
        first = self.pipelines.first[name]
        if first.weights:
            return tuple(first.weights[part] for part in first.of)
        if first.method == "rrf":
            return (1.0,) * len(first.of)
        if name not in self._weights:
            self._weights[name] = self._best_weights([self.search(part) for part in first.of])
        return self._weights[name]

    def features(self, vectors: str | None) -> PairFeatures:
        """What LambdaMART reads: of a model's vectors, or of none; of the judgments what training may see."""
        if vectors not in self._features:
            known = self.data.judgments.take(self.data.split.training(self.data.judgments))
            stage = None if vectors is None else self.model(vectors).vectors
            self._features[vectors] = PairFeatures(stage, known)
        return self._features[vectors]

    def _lesson(self, name: str) -> Lesson | None:
        teacher = self.pipelines.teachers.get(name)
        if teacher is None:
            return None
        settings, model = self.pipelines.settings, self.model(teacher.first).folder
        choices = checked(
            teacher.unjudged, "", depth=teacher.depth, synthetic=teacher.synthetic, seed=self.pipelines.seed
        )
        content = json.dumps([self.content(teacher.first), asdict(choices)])

        def write(path: Path) -> None:
            pipeline = reranked(settings, model)
            distil(settings, path, pipeline, choices=choices, data=self.data, progress=self._progress)

        return Lesson(content, write)

    def _teachers(self, name: str) -> set[str]:
        """Who taught a model, and who taught those."""
        teacher = self.pipelines.teachers.get(name)
        return set() if teacher is None else {teacher.first} | self._teachers(teacher.first)

    def _own_costs(self, name: str) -> Costs:
        kind = self.pipelines.first[name].kind
        if kind == "model":
            return self.model(name).costs
        if kind == "bm25":
            search = self.search(name)
            assert isinstance(search, Bm25Search)  # noqa: S101 - narrows the type
            return Costs(index_bytes=search.index.nbytes)
        # What a given run took, nobody saw.
        return Costs(
            training_seconds=None,
            training_cpu_seconds=None,
            embedding_seconds=None,
            embedding_cpu_seconds=None,
        )

    def _digest(self, name: str) -> str:
        first = self.pipelines.first[name]
        parts: list[Any] = [first.kind]
        match first.kind:
            case "model":
                folder = model_folder(self.model(name).folder)
                parts += [digest_of(folder / file) for file in ("config.json", "model.safetensors")]
            case "fusion":
                parts += [first.method, dict(first.weights), *map(self.content, first.of)]
            case "run":
                parts.append(digest_of(self._run_path(first)))
        return hashlib.blake2b(json.dumps(parts).encode(), digest_size=16).hexdigest()

    def _make(self, name: str, live: bool) -> Search | None:
        if (name, live) not in self._made:
            self._made[name, live] = self._made_anew(name, live)
        return self._made[name, live]

    def _made_anew(self, name: str, live: bool) -> Search | None:
        first, judgments = self.pipelines.first[name], self.data.judgments
        match first.kind:
            case "bm25":
                # The same either way: what it does with a query, it does when it is asked.
                return self.search(name) if live else Bm25Search(judgments.queries, self.data.documents)
            case "model":
                model = self.model(name)
                return model.live if live else model.search
            case "run" if live:
                return None
            case "run":
                return GivenRun(read_run(self._run_path(first)), judgments.queries, self.data.documents)
        parts = [self._make(part, live) for part in first.of]
        known = [part for part in parts if part is not None]
        if len(known) < len(parts):
            return None
        method: Method = "rrf" if first.method == "rrf" else "weighted"
        return Fusion(known, self.weights(name), method)

    def _run_path(self, first: FirstSettings) -> Path:
        return self.pipelines.root / first.run

    def _best_weights(self, parts: list[Search]) -> tuple[float, ...]:
        """The weights whose leading metric, meant over the validation cells, is best; the first of equals."""
        judgments = self.data.judgments
        metric = parse_metric(self.pipelines.settings.evaluation.metrics[0])
        cells = [
            (rows, documents, [part(rows, documents, POOL) for part in parts])
            for queries, documents in self.data.split.validation_cells().values()
            if len(rows := answerable(judgments, queries, documents))
        ]
        if not cells:
            return (1.0,) * len(parts)
        grid = [steps for steps in product(range(STEPS + 1), repeat=len(parts)) if sum(steps) == STEPS]
        # Equal weights first, which are the choice among equals.
        grid.sort(key=lambda steps: max(steps) - min(steps))
        sign = 1 if metric.higher_is_better else -1

        def value(steps: tuple[int, ...]) -> float:
            fusion = Fusion(parts, steps, "weighted")
            values = [
                metric(look_up(fusion.fuse(lists, POOL)[0], judgments, rows, documents))
                for rows, documents, lists in cells
            ]
            return sign * float(np.mean([np.nanmean(each) for each in values]))

        return tuple(step / STEPS for step in max(grid, key=value))


def declaration(pipelines: Pipelines, pipeline: PipelineSettings) -> dict[str, Any]:
    """What the file says of a pipeline: its own keys, and its first stage with all parts."""

    def told(name: str) -> dict[str, Any]:
        first = pipelines.first[name]
        values = {key: value for key, value in asdict(first).items() if value or key == "kind"}
        if first.kind != "fusion":
            values.pop("method")
        if name in pipelines.over:
            values["with"] = dict(pipelines.over[name])
        if name in pipelines.teachers:
            teacher = pipelines.teachers[name]
            values["teacher"] = asdict(teacher) | {"first": {teacher.first: told(teacher.first)}}
        return values | ({"of": {part: told(part) for part in first.of}} if first.of else {})

    own = {key: value for key, value in asdict(pipeline).items() if value and value != "none"}
    if pipeline.reranker == "none":
        own.pop("depth")
    return own | {"first": {pipeline.first: told(pipeline.first)}}


def digest_of(path: Path) -> str:
    """A digest of a file's content, or of all files in a folder; of the name where there is none (a hub's)."""
    digest = hashlib.blake2b(digest_size=16)
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    for file in files:
        digest.update(str(file.relative_to(path)).encode() if path.is_dir() else b"")
        if file.is_file():
            with file.open("rb") as content:
                digest.update(hashlib.file_digest(content, "blake2b").digest())
        elif not path.exists():
            digest.update(str(path).encode())
    return digest.hexdigest()
