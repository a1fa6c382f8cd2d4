"""Parity with trec_eval and gdeval, through ir_measures, on whole grades.

Grades 0 to 4 become scores grade / 4. The definitions agree for nDCG, MAP, RR, P, R, ERR and Judged on
queries that have a relevant document. They differ, on purpose, where none is: trec_eval gives 0, Gradus
leaves the query out. RBP has no provider here (cwl-eval is not installed): the naive loop is its oracle.
"""

import shutil

import numpy as np
import pytest

from gradus.evaluation.metrics import parse_metric
from gradus.evaluation.runs import Run
from gradus.evaluation.scoring import ranked_from_run, score

ir_measures = pytest.importorskip("ir_measures")

N_QUERIES = 60
QUERIES = [str(101 + q) for q in range(N_QUERIES)]  # gdeval takes only numbers


def case() -> tuple[Run, dict[str, dict[str, int]]]:
    """Lists of 1 to 30 of 40 documents, distinct scores; each query judged on some, one at least relevant."""
    rng = np.random.default_rng(7)
    documents, scores, grades = [], [], {}
    for query in QUERIES:
        length = int(rng.integers(1, 31))
        documents.append([f"d{d}" for d in rng.permutation(40)[:length]])
        scores.append([float(s) for s in np.sort(rng.permutation(1000)[:length])[::-1]])
        judged = rng.permutation(40)[: rng.integers(1, 25)]
        grades[query] = {f"d{d}": int(rng.integers(0, 5)) for d in judged}
        grades[query][f"d{judged[0]}"] = int(rng.integers(1, 5))
    return Run("parity", QUERIES, documents, scores), grades


def theirs(name: str, run: Run, grades: dict[str, dict[str, int]]) -> np.ndarray:
    lists = {
        q: dict(zip(documents, scores, strict=True))
        for q, documents, scores in zip(run.query_ids, run.document_ids, run.scores, strict=True)
    }
    measure = ir_measures.parse_measure(name)
    values = {m.query_id: m.value for m in ir_measures.iter_calc([measure], grades, lists)}
    return np.array([values[q] for q in QUERIES])


def ours(name: str, run: Run, grades: dict[str, dict[str, int]]) -> np.ndarray:
    judged = {q: {d: grade / 4 for d, grade in of.items()} for q, of in grades.items()}
    metric = parse_metric(name)
    return score(ranked_from_run(run, QUERIES, judged), [metric])[str(metric)]


@pytest.mark.parametrize(
    ("name", "measure"),
    [
        ("nDCG@10", "nDCG@10"),
        ("nDCG@3", "nDCG@3"),
        ("nDCG", "nDCG"),
        ("RR", "RR"),
        ("RR@5", "RR@5"),
        ("P@5", "P@5"),
        ("P@20", "P@20"),
        ("P(rel=0.5)@5", "P(rel=2)@5"),
        ("R@5", "R@5"),
        ("R@20", "R@20"),
        ("MAP", "AP"),
        ("MAP@10", "AP@10"),
        ("Judged@10", "Judged@10"),
        ("Judged@20", "Judged@20"),
    ],
)
def test_parity_with_trec_eval(name: str, measure: str) -> None:
    run, grades = case()
    np.testing.assert_allclose(ours(name, run, grades), theirs(measure, run, grades), atol=1e-12)


@pytest.mark.parametrize(
    ("name", "measure"), [("MAP(rel=0.75)", "AP(rel=3)"), ("R(rel=1)@10", "R(rel=4)@10")]
)
def test_parity_of_thresholds_where_a_document_reaches_them(name: str, measure: str) -> None:
    run, grades = case()
    mine, other = ours(name, run, grades), theirs(measure, run, grades)
    undefined = np.isnan(mine)
    assert 0 < undefined.sum() < N_QUERIES
    np.testing.assert_array_equal(other[undefined], 0)
    np.testing.assert_allclose(mine[~undefined], other[~undefined], atol=1e-12)


@pytest.mark.parametrize(
    ("name", "measure"), [("ERR(max=4)@20", "ERR@20"), ("nDCG(gain=exp,max=4)@10", "nDCG(dcg='exp-log2')@10")]
)
def test_parity_with_gdeval(name: str, measure: str) -> None:
    if not shutil.which("perl"):
        pytest.skip("gdeval is a Perl script")
    run, grades = case()
    # gdeval prints five digits.
    np.testing.assert_allclose(ours(name, run, grades), theirs(measure, run, grades), atol=5.1e-6)
