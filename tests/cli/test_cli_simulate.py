"""`gradus simulate` on a small shop: what it writes, what it says, what it refuses."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

from gradus.cli.main import app

SETTINGS = '[catalog]\npath = "catalog.csv"\n\n[catalog.fields]\ntitle = { type = "text", weight = 1.0 }\n'
DOCUMENTS = ("bolt", "nut", "washer", "flange")


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with four documents and three queries, each judged against all of them."""
    (tmp_path / "gradus.toml").write_text(SETTINGS)
    titles = [f"d{row},{title}" for row, title in enumerate(DOCUMENTS)]
    (tmp_path / "catalog.csv").write_text("\n".join(["doc_id,title", *titles]) + "\n")
    judged = [
        f"q{q},{DOCUMENTS[q]},d{d},{1.0 if q == d else 0.25}" for q in range(3) for d in range(len(DOCUMENTS))
    ]
    (tmp_path / "judgments.csv").write_text("\n".join(["query_id,query,doc_id,score", *judged]) + "\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["simulate", *arguments])


def test_a_ubi_log_and_its_truth_are_written(shop: Path) -> None:
    result = run("clicks", "--impressions", "2000")
    assert result.exit_code == 0, result.output
    assert result.stderr == "log …\n"
    said, *files = result.stdout.splitlines()
    assert said.startswith("500 result pages: 2,000 impressions, ")
    names = ["ubi_queries.parquet", "ubi_events.parquet", "truth.parquet"]
    assert files == [f"clicks/{name}: {pq.read_metadata(f'clicks/{name}').num_rows:,} rows" for name in names]
    truth = pq.read_table("clicks/truth.parquet").to_pylist()
    assert len(truth) == 3 * 4
    assert truth[5] == {"query": "nut", "document": "d1", "relevance": 1.0, "attraction": 0.6}


def test_json_says_what_the_files_hold(shop: Path) -> None:
    arguments = (
        "--layout",
        "flat",
        "--impressions",
        "4000",
        "--model",
        "cascade",
        "--robots",
        "0.1",
        "--json",
    )
    said = json.loads(run("clicks", *arguments).stdout)
    log = pq.read_table("clicks/log.parquet")
    assert said["rows"]["log.parquet"] == said["impressions"] == len(log) == 4000
    assert said["clicks"] == sum(log["click"].to_pylist())
    assert said["robot_pages"] == 100
    assert said["folder"] == "clicks"


@pytest.mark.parametrize("model", ["pbm", "browsing", "cascade", "dbn"])
def test_every_model_reaches_the_log(shop: Path, model: str) -> None:
    # Every document is clicked wherever it is examined: what is left is how each model examines.
    (shop / "judgments.csv").write_text("query,doc_id,score\n" + "bolt,d0,1\nbolt,d1,1\nbolt,d2,1\n")
    result = run("clicks", "--layout", "flat", "--model", model, "--eta", "0", "--gamma", "0.5", "--json")
    clicks = json.loads(result.stdout)["clicks"] / json.loads(result.stdout)["pages"]
    a = 0.6
    want = {
        "pbm": 3 * a,
        "browsing": 3 * a,
        "cascade": 1 - (1 - a) ** 3,
        # Goes on with 0.5, and only where the click did not satisfy; satisfaction is the relevance, 1.
        "dbn": a + 0.5 * (1 - a) * a + (0.5 * (1 - a)) ** 2 * a,
    }
    assert clicks == pytest.approx(want[model], abs=0.03)


def test_flags_reach_policy_traffic_and_dirt(shop: Path) -> None:
    arguments = ["--layout", "flat", "--impressions", "8000", "--noise", "0", "--page", "2", "--zero-based"]
    assert run("plain", *arguments).exit_code == 0
    assert run("moved", *arguments, "--swaps", "1", "--duplicates", "0.5", "--days", "1").exit_code == 0
    plain, moved = (pq.read_table(f"{name}/log.parquet").to_pylist() for name in ("plain", "moved"))
    best = {"bolt": "d0", "nut": "d1", "washer": "d2"}
    assert {row["position"] for row in plain} == {0, 1}
    assert all((row["document"] == best[row["query"]]) == (row["position"] == 0) for row in plain)
    off = sum(row["document"] == best[row["query"]] for row in moved if row["position"] == 1)
    assert off / len(moved) == pytest.approx(0.25, abs=0.02)  # half the pages, one of two rows
    assert len(moved) / len(plain) == pytest.approx(1.5, abs=0.03)
    assert (max(row["time"] for row in moved) - min(row["time"] for row in moved)).days <= 1 < 10
    assert (max(row["time"] for row in plain) - min(row["time"] for row in plain)).days >= 12


def test_the_same_seed_writes_the_same_log(shop: Path) -> None:
    for folder, seed in (("one", "3"), ("same", "3"), ("other", "4")):
        assert run(folder, "--impressions", "500", "--seed", seed, "--drift", "0.2").exit_code == 0
    one, same, other = (
        (shop / name / "ubi_events.parquet").read_bytes() for name in ("one", "same", "other")
    )
    assert one == same != other


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--swaps", "2"), "swaps is 2.0; it must be between 0 and 1"),
        (("--gamma", "1.5", "--model", "dbn"), "gamma is 1.5"),
        (("--judgments.path", "nowhere.csv"), "no judgments at nowhere.csv"),
        (("--layout", "orc"), "orc"),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(shop: Path, arguments: tuple[str, ...], said: str) -> None:
    result = run("clicks", *arguments)
    assert result.exit_code == 2
    assert said in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not (shop / "clicks").exists()


def test_appeal_moves_clicks_over_the_weeks(shop: Path) -> None:
    def clicks(*flags: str) -> int:
        told = run("clicks", "--impressions", "4000", "--json", *flags)
        assert told.exit_code == 0, told.output
        return int(json.loads(told.stdout)["clicks"])

    moved = clicks("--appeal", "0.4", "--renewal", "0.5")
    assert moved != clicks()
    assert moved == clicks("--appeal", "0.4", "--renewal", "0.5")
    assert moved != clicks("--appeal", "0.4", "--renewal", "0")
    assert run("clicks", "--appeal", "0.4", "--renewal", "2").exit_code == 2
