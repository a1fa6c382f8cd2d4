from datetime import datetime

import numpy as np
import pyarrow.csv
import pytest
from test_calibration import source

from gradus.catalog.fields import Field
from gradus.catalog.read import read_arrow
from gradus.catalog.table import Table
from gradus.errors import JudgmentsError
from gradus.judgments.fusion import fuse
from gradus.judgments.read import read_judgments
from gradus.judgments.scores_file import read_gold, write_fused
from gradus.settings import Settings, from_mapping

DOCUMENTS = Table([f"d{i}" for i in range(4)], (), {})


def _fused():
    return fuse(
        [
            source("grades", [0.2, 0.4, 0.6], 0.1, per_query=2),
            source("log", [0.3, 0.5], 0.1, start=2, per_query=2),
        ]
    )


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_what_is_written_is_read_back(tmp_path, suffix):
    fused = _fused()
    assert write_fused(tmp_path / f"judgments{suffix}", fused, Settings(), DOCUMENTS).tolist() == [True] * 4
    settings = from_mapping({"judgments": {"path": f"judgments{suffix}"}}, tmp_path)
    back = read_judgments(settings, DOCUMENTS)
    assert back.queries.ids == ["q0", "q1"]
    assert back.queries.columns["query"] == ["q0", "q1"]
    for name in ("score", "low", "high"):
        np.testing.assert_array_equal(getattr(back, name), getattr(fused, name))
    assert list(back.source) == ["grades", "grades", "grades+log", "log"]
    assert back.confidence.tolist() == (1 - (fused.high - fused.low)).tolist()


def test_counts_of_evidence_stand_beside_the_scores(tmp_path):
    write_fused(tmp_path / "judgments.csv", _fused(), Settings(), DOCUMENTS)
    table = pyarrow.csv.read_csv(tmp_path / "judgments.csv")
    assert table["evidence"].to_pylist() == [1, 1, 2, 1]
    assert table["evidence_grades"].to_pylist() == [1, 1, 1, 0]
    assert table["evidence_log"].to_pylist() == [0, 0, 1, 1]


def test_pairs_of_a_log_say_of_which_time_they_speak(tmp_path):
    window = datetime(2026, 1, 5, 0, 34, 7, 30000), datetime(2026, 1, 18, 23, 59)
    path = tmp_path / "judgments.parquet"
    write_fused(path, _fused(), Settings(), DOCUMENTS, window=window)
    columns = read_arrow(path)
    start, end = window[0].replace(microsecond=0), window[1]
    assert columns["window_start"].to_pylist() == [None, None, start, start]
    assert columns["window_end"].to_pylist() == [None, None, end, end]
    settings = from_mapping({"judgments": {"path": "judgments.parquet"}}, tmp_path)
    assert len(read_judgments(settings, DOCUMENTS)) == 4
    write_fused(path, _fused(), Settings(), DOCUMENTS)
    assert not [name for name in read_arrow(path).column_names if name.startswith("window")]


def test_documents_taken_down_are_left_out(tmp_path):
    path = tmp_path / "judgments.csv"
    assert write_fused(path, _fused(), Settings(), Table(["d1", "d3"], (), {})).sum() == 2
    assert pyarrow.csv.read_csv(path)["doc_id"].to_pylist() == ["d1", "d3"]
    with pytest.raises(JudgmentsError, match=r"none of the 4 scored pairs.*'d0'.*'x'; check catalog\.id"):
        write_fused(path, _fused(), Settings(), Table(["x"], (), {}))


def test_queries_with_a_table_of_their_own(tmp_path):
    queries = Table(["q1"], (Field("text"), Field("size", "number", 0)), {"text": ["bolt"], "size": [8.0]})
    path = tmp_path / "judgments.csv"
    assert write_fused(path, _fused(), Settings(), DOCUMENTS, queries).sum() == 2
    table = pyarrow.csv.read_csv(path)
    assert table["query_id"].to_pylist() == ["q1", "q1"]
    assert table["text"].to_pylist() == ["bolt", "bolt"]
    pictures = from_mapping({"query": {"fields": {"photo": {"type": "image"}}}})
    with pytest.raises(JudgmentsError, match=r"name the queries' file in query\.path"):
        write_fused(path, _fused(), pictures, DOCUMENTS)


def test_gold_is_named_by_text_or_by_id(tmp_path):
    text = "query_id,query,doc_id,score,low,high\n1,hex  bolt,a,2,1,3\n1,hex  bolt,b,0,,\n2,nut,a,3,,\n"
    (tmp_path / "gold.csv").write_text(text, encoding="utf-8")
    (tmp_path / "queries.csv").write_text("query_id,query\n1,hex bolt\n", encoding="utf-8")
    settings = from_mapping({"fusion": {"gold": "gold.csv", "gold_scale": 3}}, tmp_path)
    gold = read_gold(settings)
    assert (gold.source, list(gold.queries), list(gold.documents)) == (
        "gold",
        ["hex bolt", "nut"],
        ["a", "b"],
    )
    np.testing.assert_allclose(gold.score, [2 / 3, 0, 1])
    np.testing.assert_allclose(gold.low, [1 / 3, 0, 1])
    assert list(read_gold(settings, str.upper).queries) == ["HEX  BOLT", "NUT"]
    assert list(read_gold(settings.with_values({"query.path": "queries.csv"})).queries) == ["1", "2"]
    with pytest.raises(JudgmentsError, match=r"gold\.csv, row 1: the score 2 is not between 0 and 1"):
        read_gold(settings.with_values({"fusion.gold_scale": 1}))
