"""Metrics beside KPIs: correlations as SciPy has them, intervals that cover, and the metric that follows best."""

import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradus.errors import CatalogError, EvaluationError, JudgmentsError
from gradus.insight.kpi import KpiLink, Kpis, Ranking, kendall_projections, link_kpis, read_kpis

stats = pytest.importorskip("scipy.stats")
PAIRS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=3, max_size=40)


def columns(pairs: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    x, y = np.array(pairs, dtype=np.float64).T
    return x, y


def link(x: np.ndarray, y: np.ndarray, samples: int = 20) -> KpiLink:
    ids = [f"q{row}" for row in range(len(x))]
    (found,) = link_kpis(ids, {"m": x}, Kpis(ids, {"k": y}), samples=samples)
    return found


@given(PAIRS)
def test_correlations_equal_scipys(pairs: list[tuple[int, int]]) -> None:
    x, y = columns(pairs)
    found = link(x, y)
    if len(set(x)) == 1 or len(set(y)) == 1:
        assert math.isnan(found.spearman.value)
        assert math.isnan(found.kendall.value)
        assert found.first == 0
    else:
        assert found.spearman.value == pytest.approx(stats.spearmanr(x, y).statistic, abs=1e-12)
        assert found.kendall.value == pytest.approx(stats.kendalltau(x, y).statistic, abs=1e-12)


@given(PAIRS)
def test_pair_counts_equal_those_of_a_loop(pairs: list[tuple[int, int]]) -> None:
    x, y = columns(pairs)
    n = len(x)
    naive = np.array(
        [
            [sum(np.sign(x[i] - x[j]) * np.sign(y[i] - y[j]) for j in range(n)) for i in range(n)],
            [sum(x[i] != x[j] for j in range(n)) for i in range(n)],
            [sum(y[i] != y[j] for j in range(n)) for i in range(n)],
        ]
    )
    np.testing.assert_allclose(kendall_projections(x, y) * (n - 1), naive)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3)), min_size=1, max_size=15))
def test_ranks_in_a_resample_equal_those_of_the_resample_itself(rows: list[tuple[int, int]]) -> None:
    values, counts = columns(rows)
    ranks = Ranking(values).ranks(counts[None])[0]
    drawn = np.repeat(np.arange(len(rows)), counts.astype(int))
    np.testing.assert_allclose(ranks[drawn], stats.rankdata(values[drawn]))


def resampled(x: np.ndarray, y: np.ndarray, name: str, samples: int) -> tuple[float, float]:
    """A percentile interval from correlations of resamples, each computed by SciPy."""
    rng, statistic = np.random.default_rng(0), getattr(stats, name)
    draws = (rng.integers(0, len(x), len(x)) for _ in range(samples))
    low, high = np.quantile([statistic(x[d], y[d]).statistic for d in draws], (0.025, 0.975))
    return float(low), float(high)


def test_intervals_equal_those_of_resamples_by_scipy() -> None:
    rng = np.random.default_rng(0)
    x = np.round(rng.random(300), 1)
    y = x + rng.normal(0, 0.4, 300)
    found = link(x, y, samples=600)
    # The same 600 draws: Spearman's are the same numbers. Kendall's projections are the same to first order.
    assert (found.spearman.low, found.spearman.high) == pytest.approx(resampled(x, y, "spearmanr", 600))
    low, high = resampled(x, y, "kendalltau", 600)
    assert (found.kendall.low, found.kendall.high) == pytest.approx((low, high), abs=0.1 * (high - low))


def test_intervals_cover_the_truth() -> None:
    rng, inside, trials = np.random.default_rng(1), np.zeros(2), 150
    # Of normal variables with correlation .5: ρ = 6/π asin(.25), τ = 2/π asin(.5).
    truth = np.array([6 / math.pi * math.asin(0.25), 2 / math.pi * math.asin(0.5)])
    for _ in range(trials):
        x = rng.normal(size=120)
        found = link(x, 0.5 * x + math.sqrt(0.75) * rng.normal(size=120), samples=300)
        for place, got in enumerate((found.spearman, found.kendall)):
            inside[place] += got.low <= truth[place] <= got.high
    # 150 trials of .95 have standard error .018.
    assert (inside / trials > 0.89).all()


def shop(n: int = 400) -> tuple[list[str], dict[str, np.ndarray], Kpis]:
    """Conversion follows `near`, seconds to find follow `far` downwards; half of the queries have KPIs."""
    rng = np.random.default_rng(2)
    ids = [f"q{row}" for row in range(n)]
    metrics = {"far": rng.random(n), "near": rng.random(n)}
    sold = metrics["near"] + rng.normal(0, 0.3, n)
    seconds = 60 - 30 * metrics["far"] + rng.normal(0, 5, n)
    order = rng.permutation(n)[: n // 2]
    kpis = Kpis([ids[row] for row in order], {"sold": sold[order], "seconds": seconds[order]})
    return ids, metrics, kpis


def test_the_metric_that_follows_is_first() -> None:
    ids, metrics, kpis = shop()
    found = link_kpis(ids, metrics, kpis, less=["seconds"], samples=300)
    assert [(got.kpi, got.metric) for got in found] == [
        ("sold", "near"), ("sold", "far"), ("seconds", "far"), ("seconds", "near"),
    ]  # fmt: skip
    assert all(got.queries == 200 for got in found)
    assert [got.first for got in found] == [1, 0, 1, 0]
    assert found[2].spearman.value > 0.5
    ranks = metrics | {"rank": 1 - metrics["near"]}
    turned = link_kpis(ids, ranks, kpis, less=["seconds", "rank"], samples=20)
    by_name = {got.metric: got.spearman.value for got in turned if got.kpi == "sold"}
    assert by_name["rank"] == pytest.approx(by_name["near"])
    unturned = link_kpis(ids, metrics, kpis, samples=20)
    assert next(g for g in unturned if (g.kpi, g.metric) == ("seconds", "far")).spearman.value < -0.5


def test_metrics_that_cannot_be_told_apart_share_the_first_place() -> None:
    ids, metrics, kpis = shop()
    twins = {"a": metrics["near"], "b": metrics["near"] ** 3}
    sold = [got.first for got in link_kpis(ids, twins, kpis, samples=100) if got.kpi == "sold"]
    assert sold == [0.5, 0.5]
    rng = np.random.default_rng(4)
    rivals = {name: metrics["near"] + rng.normal(0, 0.5, len(ids)) for name in "ab"}
    shares = [got.first for got in link_kpis(ids, rivals, kpis, samples=300) if got.kpi == "sold"]
    assert sum(shares) == pytest.approx(1)
    assert min(shares) > 0


@given(st.sampled_from(["exp", "cube", "scale"]))
def test_only_order_matters(how: str) -> None:
    ids, metrics, kpis = shop(60)
    change = {"exp": np.exp, "cube": lambda v: v**3, "scale": lambda v: 7 * v + 2}[how]
    bent = link_kpis(ids, {name: change(v) for name, v in metrics.items()}, kpis, samples=50)
    assert bent == link_kpis(ids, metrics, kpis, samples=50)


def test_queries_without_a_kpi_or_a_metric_are_left_out() -> None:
    ids, metrics, kpis = shop()
    whole = link_kpis(ids, metrics, kpis, samples=20)
    gaps = {name: values.copy() for name, values in metrics.items()}
    dropped = ids.index(kpis.query_ids[0])
    gaps["far"][dropped] = np.nan
    got = link_kpis(ids, gaps, kpis, samples=20)
    assert {entry.queries for entry in got} == {whole[0].queries - 1}


def test_a_table_is_read_from_csv_and_parquet(tmp_path: Path) -> None:
    (tmp_path / "kpi.csv").write_text("query_id,sold,note\n7,0.25,3\nq2,,1\n", encoding="utf-8")
    got = read_kpis(tmp_path / "kpi.csv")
    assert got.query_ids == ["7", "q2"]
    np.testing.assert_array_equal(got.columns["sold"], [0.25, np.nan])
    assert list(got.columns) == ["sold", "note"]
    pyarrow.parquet.write_table(pa.table({"query_id": [1, 2], "sold": [3, 4]}), tmp_path / "kpi.parquet")
    again = read_kpis(tmp_path / "kpi.parquet")
    assert again.query_ids == ["1", "2"]
    np.testing.assert_array_equal(again.columns["sold"], [3, 4])


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        ("query_id\n7\n", EvaluationError, "columns of KPIs"),
        ("query_id,sold\n", EvaluationError, "needs rows"),
        ("query_id,sold\n7,1\n7,2\n", EvaluationError, "query '7' more than once"),
        ("query_id,sold\n7,many\n", JudgmentsError, "row 1, column 'sold'"),
        ("query_id,sold\n,1\n", JudgmentsError, "row 1"),
        ("", CatalogError, "is empty"),
    ],
)
def test_bad_tables(tmp_path: Path, text: str, error: type[Exception], said: str) -> None:
    (tmp_path / "kpi.csv").write_text(text, encoding="utf-8")
    with pytest.raises(error, match=said):
        read_kpis(tmp_path / "kpi.csv")


def test_a_table_without_ids_is_refused(tmp_path: Path) -> None:
    (tmp_path / "kpi.csv").write_text("query,sold\nq,1\n", encoding="utf-8")
    with pytest.raises((JudgmentsError, CatalogError), match="query_id"):
        read_kpis(tmp_path / "kpi.csv")


def test_bad_links() -> None:
    ids, metrics, kpis = shop()
    with pytest.raises(EvaluationError, match="'second', of which less is better, is no KPI"):
        link_kpis(ids, metrics, kpis, less=["second"])
    with pytest.raises(EvaluationError, match="shares 0 queries"):
        link_kpis([f"other {name}" for name in ids], metrics, kpis)
    with pytest.raises(EvaluationError, match="no metric"):
        link_kpis(ids, {}, kpis)
    with pytest.raises(EvaluationError, match="samples"):
        link_kpis(ids, metrics, kpis, samples=0)
