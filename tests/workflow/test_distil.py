"""Distilling: what is told, what it is learned from, and that nothing of the test cells gets into training."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow.parquet as pq
import pytest
from tiny_shop import COLOURS, KINDS, PARTS, answer, failure, make_shop, output, read, write

from gradus.errors import EvaluationError, JudgmentsError, SettingsError
from gradus.evaluation.runs import Run, read_run, write_run
from gradus.judgments.split import CELLS
from gradus.settings import Settings, read_settings
from gradus.workflow import distil_reranker
from gradus.workflow.data import Data, load_data
from gradus.workflow.distil import Choices, Distilled, distil, given
from gradus.workflow.distil_reranker import reranked
from gradus.workflow.training import make_batches

NEW = [f"{colour}の{kind}" for colour in list(COLOURS.values())[:3] for kind in KINDS.values()]
"""Queries that nobody judged: "red's bolt" for "red bolt"."""


def shop_with_gaps(folder: Path, query: str = "title") -> Path:
    """The shop, two in five of its pairs unjudged."""
    shop = make_shop(folder, query=query)
    rows = [row for n, row in enumerate(read(shop / "judgments.csv")) if (n + n // 24) % 5 > 1]
    write(shop / "judgments.csv", rows)
    return shop


def a_run(queries: Sequence[str] = (), noise: float = 0.1) -> Run:
    """Any pipeline: it knows what goes with what, in a unit of its own, and of new queries as well."""
    rng = np.random.default_rng(0)
    wanted = {f"q-{c}-{k}": (c, k) for c, k in PARTS}
    names = {v: k for k, v in COLOURS.items()} | {v: k for k, v in KINDS.items()}
    wanted |= {text: (names[text.split("の")[0]], names[text.split("の")[1]]) for text in queries}
    found, scores = [], []
    for colour, kind in wanted.values():
        raw = {f"{c}-{k}": 5.0 * (k == kind) * (1 + (c == colour)) + noise * rng.normal() for c, k in PARTS}
        best = sorted(raw, key=lambda name: -raw[name])
        found.append(best)
        scores.append([raw[name] for name in best])
    return Run("any", list(wanted), found, scores)


def settings_of(shop: Path, **values: Any) -> Settings:
    return read_settings(shop).with_values({key.replace("__", "."): value for key, value in values.items()})


def rows_of(path: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    return rows


def parts_of(data: Data) -> tuple[dict[str, str], dict[str, str]]:
    queries = dict(zip(data.judgments.queries.ids, data.split.query_part, strict=True))
    return queries, dict(zip(data.documents.ids, data.split.document_part, strict=True))


def test_told_are_unjudged_pairs_of_the_training_part(tmp_path: Path) -> None:
    shop = shop_with_gaps(tmp_path / "shop")
    settings = settings_of(shop)
    distilled = distil(settings, tmp_path / "told.parquet", given(a_run()))
    data = load_data(settings)
    queries, documents = parts_of(data)
    judged = {(row["query_id"], row["doc_id"]) for row in read(shop / "judgments.csv")}
    train = {(q, d) for q, p in queries.items() for d, r in documents.items() if p == r == "train"}
    rows = rows_of(distilled.path)
    assert {(row["query_id"], row["doc_id"]) for row in rows} == train - judged
    assert len(rows) == distilled.pairs == len(train - judged) > 50
    assert {row["source"] for row in rows} == {"distilled"}
    raw = {
        (q, d): s
        for q, found, scores in zip(*lists_of(a_run()), strict=True)
        for d, s in zip(found, scores, strict=True)
    }
    for name in queries:
        own = sorted((raw[name, row["doc_id"]], row["score"]) for row in rows if row["query_id"] == name)
        assert all(one[1] <= other[1] for one, other in pairwise(own))
    # What is judged 1, ½ and 0 is 10, 5 and 0 in the run.
    off = [abs(row["score"] - raw[row["query_id"], row["doc_id"]] / 10) for row in rows]
    assert np.mean(off) < 0.05
    held = [
        row["low"] <= np.round(raw[row["query_id"], row["doc_id"]] / 5) / 2 <= row["high"] for row in rows
    ]
    assert np.mean(held) > 0.85


def lists_of(run: Run) -> tuple[list[str], list[list[str]], list[list[float]]]:
    return run.query_ids, run.document_ids, run.scores


def test_no_judgment_of_the_test_cells_is_looked_at(tmp_path: Path) -> None:
    shop = shop_with_gaps(tmp_path / "shop")
    queries, documents = parts_of(load_data(settings_of(shop)))
    before = distil(settings_of(shop), tmp_path / "before.parquet", given(a_run()))
    rows = read(shop / "judgments.csv")
    changed = 0
    for row in rows:
        if queries[row["query_id"]] != "train" or documents[row["doc_id"]] != "train":
            row["score"] = str(1 - float(row["score"]))
            changed += 1
    assert changed > 100
    write(shop / "judgments.csv", rows)
    after = distil(settings_of(shop), tmp_path / "after.parquet", given(a_run()))
    assert before.path.read_bytes() == after.path.read_bytes()
    assert before.curve.pairs < len(rows) - changed + 1
    held_out = Choices(held_out=True)
    everything = distil(settings_of(shop), tmp_path / "all.parquet", given(a_run()), choices=held_out)
    assert everything.curve.pairs == before.curve.pairs
    assert len(rows) + everything.pairs == len(PARTS) ** 2


def test_what_is_learned_from_validation_is_not_learned_from_training(tmp_path: Path) -> None:
    shop = make_shop(tmp_path / "shop")
    settings = settings_of(shop, split__validation=0.5, split__novel_queries=0.0, split__novel_documents=0.0)
    queries, _ = parts_of(load_data(settings))
    write(shop / "log.csv", [{"query": text} for text in NEW])

    def told(name: str) -> Distilled:
        choices = Choices(learned_from="validation")
        run = given(a_run(NEW))
        return distil(settings, tmp_path / name, run, choices=choices, queries=shop / "log.csv")

    before = told("before.parquet")
    validation = {name for name, part in queries.items() if part == "validation"}
    assert before.curve.queries == len(validation)
    assert {row["query"] for row in rows_of(before.path)} == set(NEW)
    rows = read(shop / "judgments.csv")
    for row in rows:
        if row["query_id"] not in validation:
            row["score"] = str(1 - float(row["score"]))
    write(shop / "judgments.csv", rows)
    assert told("after.parquet").path.read_bytes() == before.path.read_bytes()


@pytest.mark.parametrize("suffix", ["parquet", "trec"])
def test_queries_that_nobody_judged_teach(tmp_path: Path, suffix: str) -> None:
    shop = shop_with_gaps(tmp_path / "shop")
    queries, documents = parts_of(load_data(settings_of(shop)))
    novel = next(name for name, part in queries.items() if part == "novel")
    asked = {row["query_id"]: row["query"] for row in read(shop / "judgments.csv")}
    # A log: repeated, and with what the test cells ask.
    write(shop / "log.csv", [{"query": text} for text in [*NEW, *NEW[:3], asked[novel], asked[novel] + " "]])
    run = a_run(NEW)
    same = asked[novel]  # the pipeline was asked everything that the log holds
    write_run(Run("any", [*run.query_ids, same], [*run.document_ids, run.document_ids[0]],
                  [*run.scores, run.scores[0]]), shop / f"run.{suffix}")  # fmt: skip
    flags = ("--settings", str(shop / "gradus.toml"))
    told = answer("distil", str(shop / f"run.{suffix}"), "--out", str(shop / "told.parquet"),
                  "--queries", str(shop / "log.csv"), *flags)  # fmt: skip
    assert (told["unjudged_queries"], told["left_out_queries"]) == (len(NEW), 1)
    rows = rows_of(shop / "told.parquet")
    assert asked[novel] not in {row["query"] for row in rows}
    assert {row["query"] for row in rows} >= set(NEW)
    settings = settings_of(shop, judgments__distilled="told.parquet")
    data = load_data(settings)
    assert data.judgments.queries.ids == data.queries.ids[: len(queries)]
    assert sorted(data.queries.ids[len(queries) :]) == sorted(NEW)
    train = sum(part == "train" for part in documents.values())
    unjudged = data.training.query >= len(queries)
    assert unjudged.sum() == len(NEW) * train
    batches = make_batches(data, settings)
    assert set(np.unique(batches.query[batches.query >= len(queries)]) - len(queries)) == set(range(len(NEW)))
    model = ("--out", str(shop / "model"), "--judgments.distilled", "told.parquet", "--training.epochs", "1")
    output("train", *model, *flags)
    assert set(answer("evaluate", str(shop / "model"), *flags)[0]["cells"]) == set(CELLS)


def test_judged_pairs_and_held_out_ones_never_teach_whatever_the_file_holds(tmp_path: Path) -> None:
    shop = shop_with_gaps(tmp_path / "shop")
    plain = load_data(settings_of(shop))
    distil(settings_of(shop), shop / "told.parquet", given(a_run()), choices=Choices(held_out=True))
    data = load_data(settings_of(shop, judgments__distilled="told.parquet"))
    assert data.distilled is not None
    queries, documents = parts_of(data)
    told = data.distilled
    for query, document in zip(told.query, told.document, strict=True):
        assert queries[told.queries.ids[query]] == documents[data.documents.ids[document]] == "train"
    assert len(data.training) == len(plain.training) + len(told)
    assert np.array_equal(data.judgments.score, plain.judgments.score)
    settings = settings_of(shop)
    assert data.fingerprint(settings) != plain.fingerprint(settings)
    # All told pairs are judged in the meantime: nothing is left, and that is said.
    rows = read(shop / "judgments.csv")
    judged = {(row["query_id"], row["doc_id"]) for row in rows}
    texts = {row["query_id"]: row["query"] for row in rows}
    rows += [
        {"query_id": q, "query": texts[q], "doc_id": d, "score": "0.3"}
        for q in texts for d in documents if (q, d) not in judged
    ]  # fmt: skip
    write(shop / "judgments.csv", rows)
    with pytest.raises(JudgmentsError, match=r"told\.parquet holds no pair .* distil anew"):
        load_data(settings_of(shop, judgments__distilled="told.parquet"))


def test_a_group_that_is_held_out_stays_out(tmp_path: Path) -> None:
    shop = make_shop(tmp_path / "shop")
    toml = (shop / "gradus.toml").read_text()
    toml = toml.replace("[split]", 'user = { type = "category", weight = 0 }\n[split]\nquery_group = "user"')
    (shop / "gradus.toml").write_text(toml)
    rows = [
        row | {"user": row["query_id"][-1]} for n, row in enumerate(read(shop / "judgments.csv")) if n % 5
    ]
    write(shop / "judgments.csv", rows)
    data = load_data(settings_of(shop))
    parts = dict(zip(data.judgments.queries.columns["user"], data.split.query_part, strict=True))
    assert set(parts.values()) >= {"train", "novel"}
    users = [next(user for user, part in parts.items() if part == wanted) for wanted in ("train", "novel")]
    users.append("somebody")
    log = [{"query_id": text, "query": text, "user": user} for text, user in zip(NEW, users, strict=False)]
    write(shop / "log.csv", log)
    run = a_run([NEW[0], NEW[2]])
    distil(settings_of(shop), tmp_path / "told.parquet", given(run), queries=shop / "log.csv")
    assert {row["query"] for row in rows_of(tmp_path / "told.parquet")} & set(NEW) == {NEW[0], NEW[2]}


def test_where_everything_of_worth_was_judged_only_other_queries_are_told_anything(tmp_path: Path) -> None:
    shop = shop_with_gaps(tmp_path / "shop")
    write(shop / "log.csv", [{"query": text} for text in NEW])
    settings, run = settings_of(shop), given(a_run(NEW))
    made = {
        name: distil(settings, tmp_path / f"{name}.parquet", run, choices=Choices(unjudged=name),
                     queries=shop / "log.csv")  # type: ignore[arg-type]
        for name in ("unknown", "worthless")
    }  # fmt: skip
    assert {row["query"] for row in rows_of(made["worthless"].path)} == set(NEW)
    assert made["worthless"].queries == made["worthless"].unjudged_queries == len(NEW)
    assert made["worthless"].curve.pairs > made["unknown"].curve.pairs
    scores = {
        name: {(r["query"], r["doc_id"]): r["score"] for r in rows_of(m.path)} for name, m in made.items()
    }
    # Two in five of the pairs that the run likes count as worth nothing.
    both = scores["worthless"].keys() & scores["unknown"].keys()
    ratio = sum(scores["worthless"][p] for p in both) / sum(scores["unknown"][p] for p in both)
    assert 0.3 < ratio < 0.8


def test_queries_with_pictures_are_read_back(tmp_path: Path) -> None:
    shop = shop_with_gaps(tmp_path / "shop", query="both")
    (shop / "told").mkdir()
    told = distil(settings_of(shop), shop / "told" / "told.parquet", given(a_run()))
    data = load_data(settings_of(shop, judgments__distilled="told/told.parquet"))
    assert data.distilled is not None
    assert len(data.distilled) == told.pairs
    assert data.queries.ids == data.judgments.queries.ids


def test_lists_are_cut_at_the_depth_within_the_training_documents(tmp_path: Path) -> None:
    shop = shop_with_gaps(tmp_path / "shop")
    told = distil(settings_of(shop), tmp_path / "told.csv", given(a_run()), choices=Choices(depth=12))
    _, documents = parts_of(load_data(settings_of(shop)))
    queries, found, _ = lists_of(a_run())
    best = {
        (q, d) for q, ds in zip(queries, found, strict=True)
        for d in [d for d in ds if documents[d] == "train"][:12]
    }  # fmt: skip
    assert {(row["query_id"], row["doc_id"]) for row in read(told.path)} <= best


def test_mistakes_are_named(tmp_path: Path) -> None:
    shop = shop_with_gaps(tmp_path / "shop")
    settings, out = settings_of(shop), tmp_path / "told.parquet"
    with pytest.raises(JudgmentsError, match=r"has 12 query ids not known here: '赤のボルト', .*--queries"):
        distil(settings, out, given(a_run(NEW)))
    alien = Run("any", ["q-red-bolt"], [["red-bolt", "x-1"]], [[2.0, 1.0]])
    with pytest.raises(JudgmentsError, match=r"has 1 document id not known here: 'x-1'; check catalog\.id"):
        distil(settings, out, given(alien))
    short = Run("any", ["q-red-bolt"], [["red-bolt"]], [[2.0]])
    with pytest.raises(
        JudgmentsError, match=r"[01] judged pairs of [01] queries are among .* Let it list more"
    ):
        distil(settings, out, given(short))
    with pytest.raises(JudgmentsError, match=r"takes 100 of 10.*--learned-from"):
        distil(settings, out, given(a_run()), choices=Choices(learned_from="validation"))
    backwards = a_run()
    for names, scores in zip(backwards.document_ids, backwards.scores, strict=True):
        names.reverse()
        scores[:] = [-score for score in reversed(scores)]
    with pytest.raises(JudgmentsError, match=r"say nothing about the .* check that higher scores are better"):
        distil(settings, out, given(backwards))
    assert not out.exists()
    write(shop / "log.csv", [{"query_id": "q-red-bolt", "query": "something else"}])
    with pytest.raises(
        JudgmentsError, match=r"query 'q-red-bolt' is 'something else' here and '赤いボルト' among"
    ):
        distil(settings, out, given(a_run()), queries=shop / "log.csv")
    with pytest.raises(JudgmentsError, match=r"no .*none\.parquet; gradus distil writes it"):
        load_data(settings_of(shop, judgments__distilled="none.parquet"))


def test_mistakes_on_the_command_line(tmp_path: Path) -> None:
    shop = shop_with_gaps(tmp_path / "shop")
    flags = ("--settings", str(shop / "gradus.toml"))
    write_run(a_run(), shop / "run.parquet")
    run = str(shop / "run.parquet")
    for wrong in ((), (run, "--reranker", "lambdamart", "--first", "m"), ("--reranker", "lambdamart"),
                  ("--reranker", "else", "--first", "m"), (run, "--first", "m")):  # fmt: skip
        assert "name one pipeline" in failure("distil", *wrong, *flags)
    assert "choose one of unknown, worthless" in failure("distil", run, "--unjudged", "zero", *flags)
    assert "choose one of train, validation" in failure("distil", run, "--learned-from", "test", *flags)
    assert "no such run file" in failure("distil", str(shop / "no.parquet"), *flags)
    told = ("--out", str(tmp_path / "told.parquet"))
    assert "a run file ends in" in failure("distil", run, "--lists", "lists.csv", *told, *flags)
    assert not (tmp_path / "told.parquet").exists()
    with pytest.raises(EvaluationError, match="a run file ends in"):  # before the pipeline is asked anything
        distil(
            settings_of(shop),
            tmp_path / "told.parquet",
            lambda *_: pytest.fail("asked"),
            lists_out=Path("l.csv"),
        )
    said = " ".join(output("distil", run, "--lists", str(tmp_path / "lists.trec"), *told, *flags).split())
    assert said.endswith(f"gradus judge --clicks.run {tmp_path / 'lists.trec'}")


class Trees:
    """In the place of LambdaMART: knows the truth of the pairs it is not to be caught having seen."""

    fitted: ClassVar[list[tuple[set[int], np.ndarray]]] = []
    scored: ClassVar[list[tuple[set[int], set[int]]]] = []

    def __init__(self, features: Any, seed: int) -> None:
        self.features, self.seen = features, set[int]()

    def fit(self, judgments: Any, query_rows: np.ndarray, listed: np.ndarray) -> None:
        self.seen = set(query_rows.tolist())
        self.judgments = judgments
        Trees.fitted.append((self.seen, listed))

    def __call__(self, query_rows: np.ndarray, listed: np.ndarray) -> np.ndarray:
        Trees.scored.append((self.seen, set(query_rows.tolist())))
        queries, documents = self.judgments.queries.ids, self.judgments.documents.ids
        wanted = [queries[row].removeprefix("q-").split("-") for row in query_rows]
        return np.array([
            [10.0 * (documents[d].split("-")[1] == w[1]) + (documents[d].split("-")[0] == w[0]) for d in row]
            for w, row in zip(wanted, listed, strict=True)
        ], np.float32)  # fmt: skip


def test_no_list_is_scored_by_trees_that_saw_its_judgments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = shop_with_gaps(tmp_path / "shop")
    flags = ("--settings", str(shop / "gradus.toml"))
    output("train", "--out", str(shop / "model"), "--training.epochs", "1", *flags)
    monkeypatch.setattr(distil_reranker, "LambdaMart", Trees)
    Trees.fitted, Trees.scored = [], []
    settings = settings_of(shop)
    choices, data = Choices(depth=12), load_data(settings)
    told = distil(
        settings, tmp_path / "told.parquet", reranked(settings, shop / "model"), choices=choices, data=data,
        lists_out=tmp_path / "lists.parquet",
    )  # fmt: skip
    train = set(np.unique(data.training.query).tolist())
    novel = set(np.flatnonzero(data.split.query_part == "novel").tolist())
    allowed = set(np.flatnonzero(data.split.document_part == "train").tolist())
    assert len(Trees.fitted) == distil_reranker.FOLDS + 1
    for seen, listed in Trees.fitted:
        assert seen <= train
        assert set(listed.ravel().tolist()) <= allowed
    assert Trees.fitted[-1][0] == train
    asked: set[int] = set()
    for seen, queries in Trees.scored:
        assert not seen & queries
        assert not queries & (novel | asked)
        asked |= queries
    assert asked >= train
    assert told.pairs == len(rows_of(told.path)) > 20
    # What judging may be told is what no list's own judgments had a part in, and nothing of the test cells.
    lists = read_run(tmp_path / "lists.parquet")
    assert {data.judgments.queries.row_of[name] for name in lists.query_ids} == train
    names = np.array(data.documents.ids, object)
    assert {name for found in lists.document_ids for name in found} <= set(names[list(allowed)])
    assert all(len(found) == 12 for found in lists.document_ids)
    everything = distil(
        settings, tmp_path / "all.parquet", reranked(settings, shop / "model"),
        choices=Choices(depth=24, held_out=True), data=data, lists_out=tmp_path / "everything.trec",
    )  # fmt: skip
    assert everything.pairs > told.pairs
    asked = set(np.unique(data.judgments.query).tolist())
    lists = read_run(tmp_path / "everything.trec")
    assert {data.judgments.queries.row_of[name] for name in lists.query_ids} == asked > train


def test_the_data_at_hand_say_what_may_be_taught(tmp_path: Path) -> None:
    shop = shop_with_gaps(tmp_path / "shop")
    data = load_data(settings_of(shop))
    # As where judgments come from a log, which cannot say which documents are new: they have no labels there.
    unlabelled = settings_of(shop, split__novel_documents=0.0, split__validation=0.0)
    told = distil(unlabelled, tmp_path / "told.parquet", given(a_run()), data=data)
    _, documents = parts_of(data)
    assert {documents[row["doc_id"]] for row in rows_of(told.path)} == {"train"}
    loose = distil(unlabelled, tmp_path / "loose.parquet", given(a_run()))
    assert {documents[row["doc_id"]] for row in rows_of(loose.path)} > {"train"}


def test_the_built_in_reranker_from_the_command_line(tmp_path: Path) -> None:
    pytest.importorskip("lightgbm")
    shop = tmp_path / "drawings"
    output("sample", "drawings", str(shop), "--documents", "250")
    flags = ("--settings", str(shop / "gradus.toml"))
    output("train", "--out", str(shop / "model"), "--training.epochs", "3", "--encoder.pixels", "32", *flags)
    told = answer("distil", "--reranker", "lambdamart", "--first", str(shop / "model"), "--depth", "40",
                  "--out", str(shop / "told.parquet"), "--learned-from", "train",
                  "--lists", str(shop / "lists.trec"), *flags)  # fmt: skip
    assert len(read_run(shop / "lists.trec").query_ids) > 10
    assert told["error"] < 0.9 * told["error_without"]
    assert told["pairs"] == len(rows_of(shop / "told.parquet"))
    assert (
        len(load_data(settings_of(shop, judgments__distilled="told.parquet")).distilled or ())
        == told["pairs"]
    )


def test_joined_batches_are_refused_where_batches_are_pairs(tmp_path: Path) -> None:
    settings = settings_of(shop_with_gaps(tmp_path / "shop"), training__hard_negatives=4)
    batches = make_batches(load_data(settings), settings)
    assert batches.negatives is not None
    pairs = settings.with_values({"objective.name": "pairwise"})
    with pytest.raises(SettingsError, match=r"hard_negatives is 4, but objective\.name = 'pairwise'"):
        make_batches(load_data(settings), pairs)
