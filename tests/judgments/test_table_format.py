import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradus.catalog.fields import Field
from gradus.catalog.table import Table
from gradus.errors import JudgmentsError
from gradus.judgments.judgments import Judgments
from gradus.judgments.read import read_judgments, read_judgments_file
from gradus.judgments.split import make_split
from gradus.judgments.table_format import write_judgments
from gradus.settings import from_mapping

HEADER = "query_id,query,doc_id,score"
DOCUMENTS = Table(["d1", "d2", "d3"], (Field("title"),), {"title": ["bolt", "nut", None]})


def _read(tmp_path, text, name="judgments.csv", query=None, documents=DOCUMENTS, **judgments):
    (tmp_path / name).write_text(text, encoding="utf-8")
    sections = {"judgments": {"path": name, **judgments}, "query": query or {}}
    return read_judgments_file(from_mapping(sections, tmp_path), documents)


def _rows(*rows, header=HEADER):
    return "\n".join((header, *rows)) + "\n"


def _pairs(judgments):
    return {
        (judgments.queries.ids[q], judgments.documents.ids[d]): (low, score, high)
        for q, d, low, score, high in zip(
            judgments.query, judgments.document, judgments.low, judgments.score, judgments.high, strict=True
        )
    }


def test_a_plain_file(tmp_path):
    file = _read(tmp_path, _rows("q1,hex bolt,d2,0.5", "q2, ｎｕｔ ,d2,1", "q1,hex bolt,d1,0"))
    judgments = file.judgments
    assert judgments.queries.ids == ["q1", "q2"]
    assert judgments.queries.columns["query"] == ["hex bolt", "nut"]
    assert _pairs(judgments) == {
        ("q1", "d2"): (0.5, 0.5, 0.5), ("q2", "d2"): (1, 1, 1), ("q1", "d1"): (0, 0, 0),
    }  # fmt: skip
    assert set(judgments.source) == {"judgments"}
    assert file.query_part is None
    assert file.document_part is None


def test_intervals_sources_and_scale(tmp_path):
    text = _rows(
        "q1,bolt,d1,2,1,3,clicks", "q1,bolt,d2,1,,,", header="query_id,query,doc_id,score,low,high,source"
    )
    judgments = _read(tmp_path, text, scale=4).judgments
    assert _pairs(judgments) == {
        ("q1", "d1"): (1 / 4, 2 / 4, 3 / 4),
        ("q1", "d2"): (1 / 4, 1 / 4, 1 / 4),
    }
    assert list(judgments.source) == ["clicks", ""]


def test_other_column_names_and_several_query_fields(tmp_path):
    text = _rows("1,bolt,8,d1,5", "1,bolt,8.0,d2,4", "2,,,d1,0", header="qid,words,size,item,grade")
    fields = {"words": {"type": "text"}, "size": {"type": "number"}}
    judgments = _read(
        tmp_path, text, query={"fields": fields}, query_id="qid", doc_id="item", score="grade", scale=5
    ).judgments
    assert judgments.queries.record(0) == {"words": "bolt", "size": 8.0}
    assert judgments.queries.record(1) == {}
    assert list(judgments.score) == [1, 0.8, 0]


def test_parquet_categories_with_missing_values(tmp_path):
    cells = {"query_id": ["q1", "q1"], "query": [None, None], "doc_id": ["d1", "d2"], "source": ["x", None]}
    columns = {name: pa.array(values, pa.string()).dictionary_encode() for name, values in cells.items()}
    pa.parquet.write_table(pa.table({**columns, "score": [1.0, 0.5]}), tmp_path / "judgments.parquet")
    settings = from_mapping({"judgments": {"path": "judgments.parquet"}}, tmp_path)
    judgments = read_judgments(settings, DOCUMENTS)
    assert judgments.queries.columns == {"query": [None]}
    assert list(judgments.source) == ["x", ""]


def test_parquet_with_integer_ids(tmp_path):
    table = pa.table({"query_id": [7, 7], "query": ["a", "a"], "doc_id": [1, 2], "score": [1.0, 0.25]})
    pa.parquet.write_table(table, tmp_path / "judgments.parquet")
    documents = Table(["1", "2"], (), {})
    judgments = read_judgments(
        from_mapping({"judgments": {"path": "judgments.parquet"}}, tmp_path), documents
    )
    assert _pairs(judgments) == {("7", "1"): (1, 1, 1), ("7", "2"): (0.25, 0.25, 0.25)}


def test_images_in_queries_are_relative_to_the_file(tmp_path):
    fields = {"query": {"type": "text"}, "photo": {"type": "image"}}
    text = _rows("q1,,a/b.png,d1,1", "q2,nut,,d1,1", header="query_id,query,photo,doc_id,score")
    queries = _read(tmp_path, text, query={"fields": fields}).judgments.queries
    assert queries.columns["photo"] == [tmp_path / "a/b.png", None]


def test_a_file_of_queries(tmp_path):
    (tmp_path / "queries.csv").write_text("id,text\nq1,bolt\nq2,nut\nq3,gear\n", encoding="utf-8")
    query = {"path": "queries.csv", "id": "id", "fields": {"text": {"type": "text"}}}
    judgments = _read(
        tmp_path, _rows("q3,d1,1", "q1,d1,0.5", header="query_id,doc_id,score"), query=query
    ).judgments
    assert judgments.queries.ids == ["q1", "q3"]  # q2 has no judgment
    assert judgments.queries.columns["text"] == ["bolt", "gear"]
    assert _pairs(judgments) == {("q3", "d1"): (1, 1, 1), ("q1", "d1"): (0.5, 0.5, 0.5)}
    with pytest.raises(
        JudgmentsError, match=r"row 2: 1 query id not in the queries file: 'q9'\. Check query\.path"
    ):
        _read(tmp_path, _rows("q3,d1,1", "q9,d1,0.5", header="query_id,doc_id,score"), query=query)


def test_without_query_ids_the_text_is_the_id(tmp_path):
    text = _rows("bolt,d1,1", " ｂｏｌｔ,d2,0.5", "nut,d1,0", header="query,doc_id,score")
    judgments = _read(tmp_path, text).judgments
    assert judgments.queries.ids == ["bolt", "nut"]
    assert list(judgments.query) == [0, 0, 1]
    with pytest.raises(JudgmentsError, match=r"row 2, column 'query' is empty"):
        _read(tmp_path, _rows("bolt,d1,1", ",d2,0.5", header="query,doc_id,score"))
    with pytest.raises(JudgmentsError, match=r"no column 'qid' \(judgments\.query_id"):
        _read(tmp_path, text, query_id="qid")
    fields = {"query": {"type": "text"}, "size": {"type": "number"}}
    with pytest.raises(JudgmentsError, match="no column 'query_id'"):
        _read(tmp_path, _rows("bolt,3,d1,1", header="query,size,doc_id,score"), query={"fields": fields})


def test_identical_repeats_are_merged(tmp_path):
    judgments = _read(tmp_path, _rows("q1,bolt,d1,0.5", "q1,bolt,d2,1", "q1,bolt,d1,0.5")).judgments
    assert list(judgments.document) == [0, 1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (_rows(), r"judgments\.csv holds no rows"),
        (_rows("q1,bolt,d1,1", header="query_id,query,doc_id,scor"), r"no column 'score'.*did you mean 'scor'"),
        (_rows("q1,bolt,d1,1", header="query_id,query,docid,score"), r"no column 'doc_id'.*did you mean 'docid'"),
        (_rows("q1,bolt,d1,1", header="queryid,query,doc_id,score"), r"'query_id'.*did you mean 'queryid'"),
        (_rows("q1,bolt,d1,1", header="query_id,qery,doc_id,score"), r"'query' .*did you mean 'qery'"),
        (_rows("q1,bolt,d1,1", "q1,bolt,,1"), r"row 2, column 'doc_id' is empty"),
        (_rows("q1,bolt,d1,1", ",bolt,d2,1"), r"row 2, column 'query_id' is empty"),
        (_rows("q1,bolt,d1,1", "q1,bolt,d2,high"), r"row 2, column 'score': 'high' is not a finite number"),
        (_rows("q1,bolt,d1,1", "q1,bolt,d2,inf"), r"row 2, column 'score': 'inf' is not a finite number"),
        (_rows("q1,bolt,d1,1", "q1,bolt,d2,NaN"), r"row 2: the score is missing or not a finite number"),
        (_rows("q1,bolt,d1,1", "q1,bolt,d2,"), r"row 2: the score is missing"),
        (_rows("q1,bolt,d1,1", "q1,bolt,d2,-0.1"), r"row 2: the score -0\.1 is not between 0 and 1; correct it"),
        (_rows("q1,bolt,d1,1.0000000000000002"), r"the score 1\.0000000000000002 is not between 0 and 1"),
        (_rows("q1,bolt,d1,2", "q1,bolt,d2,3"), r"row 1: the score 2 .*judgments\.scale = 3$"),
        (_rows("q1,bolt,d1,1", "q1,nut,d2,1"), r"row 2, column 'query': query 'q1' has 'nut' here and 'bolt' in row 1"),
        (
            _rows("q1,bolt,d1,1", "q1,bolt,d2,1", "q1,bolt,d1,0.5"),
            r"row 1 and .*row 3 judge the same pair differently: query 'q1', document 'd1', 1 and 0\.5",
        ),
        (
            _rows("q1,bolt,d1,1", "q1,bolt,x,1", "q1,bolt,y,1", "q2,bolt,y,1", "q1,bolt,z,1", "q1,bolt,w,1"),
            r"row 2: 4 document ids not in the catalogue: 'x', 'y', 'z', …\. Check catalog\.id.*remove the 5",
        ),
    ],
)  # fmt: skip
def test_faults_name_file_row_column_and_remedy(tmp_path, text, message):
    with pytest.raises(JudgmentsError, match=message):
        _read(tmp_path, text)


@pytest.mark.parametrize("interval", ["0.6,0.9", "0.1,0.4", "-0.1,0.9", "0.1,1.1"])
def test_intervals_out_of_order(tmp_path, interval):
    text = _rows("q1,bolt,d2,0,0,0", f"q1,bolt,d1,0.5,{interval}", header=f"{HEADER},low,high")
    with pytest.raises(JudgmentsError, match=r"row 2: 0 ≤ low ≤ score ≤ high ≤ 1 does not hold"):
        _read(tmp_path, text)


def test_a_missing_file_names_the_setting(tmp_path):
    with pytest.raises(JudgmentsError, match=r"no judgments at .*nowhere\.csv; set judgments\.path"):
        read_judgments(from_mapping({"judgments": {"path": "nowhere.csv"}}, tmp_path), DOCUMENTS)


SPLIT_HEADER = f"{HEADER},query_split,doc_split"


def test_split_columns(tmp_path):
    text = _rows(
        "q1,bolt,d1,1,train,train", "q2,nut,d1,1,test,", "q3,gear,d2,1,validation,Novel",
        "q2,nut,d2,1,,novel", header=SPLIT_HEADER,
    )  # fmt: skip
    file = _read(tmp_path, text)
    assert list(file.query_part) == ["train", "novel", "validation"]
    assert list(file.document_part) == ["train", "novel", None]
    split = make_split(
        file.judgments, from_mapping({"split": {"validation": 0}}).split, file.query_part, file.document_part
    )
    assert list(split.document_part) == ["train", "novel", "train"]


def test_empty_split_columns_are_no_labels(tmp_path):
    file = _read(tmp_path, _rows("q1,bolt,d1,1,,", header=SPLIT_HEADER))
    assert file.query_part is None
    assert file.document_part is None


def test_faults_of_split_columns(tmp_path):
    with pytest.raises(JudgmentsError, match=r"row 2: query 'q1' is novel here and train above"):
        _read(tmp_path, _rows("q1,bolt,d1,1,train,train", "q1,bolt,d2,1,novel,train", header=SPLIT_HEADER))
    with pytest.raises(JudgmentsError, match=r"row 2: document 'd1' is novel here and train above"):
        _read(tmp_path, _rows("q1,bolt,d1,1,train,train", "q2,nut,d1,1,train,novel", header=SPLIT_HEADER))
    with pytest.raises(
        JudgmentsError, match=r"row 2: 'held-out' is no part of a split; write train, validation"
    ):
        _read(tmp_path, _rows("q1,bolt,d1,1,train,", "q2,nut,d1,1,held-out,", header=SPLIT_HEADER))


def _random_judgments(draw):
    texts = st.text("abc,\"'\n é日本", min_size=1, max_size=8).map(lambda t: " ".join(t.split())).filter(bool)
    n_queries, n_documents = draw(st.integers(1, 5)), draw(st.integers(1, 6))
    fields = (Field("query"), Field("kind", "category", 0), Field("size", "number", 0))
    columns = {
        "query": draw(st.lists(st.none() | texts, min_size=n_queries, max_size=n_queries)),
        "kind": draw(st.lists(st.none() | texts, min_size=n_queries, max_size=n_queries)),
        "size": draw(st.lists(st.none() | st.floats(-1e9, 1e9), min_size=n_queries, max_size=n_queries)),
    }
    queries = Table([f"q{i}" for i in range(n_queries)], fields, columns)
    documents = Table([f"日 {i}" for i in range(n_documents)], (), {})
    drawn = st.tuples(st.integers(0, n_queries - 1), st.integers(0, n_documents - 1))
    extra = draw(st.lists(drawn, unique=True))
    pairs = list(dict.fromkeys([*((q, 0) for q in range(n_queries)), *extra]))
    triples = [sorted(draw(st.tuples(*[st.floats(0, 1)] * 3))) for _ in pairs]
    low, score, high = (np.array([triple[i] for triple in triples]) for i in range(3))
    query, document = (np.array([pair[i] for pair in pairs], np.int64) for i in range(2))
    source = np.array([draw(st.sampled_from(["clicks", "grades"])) for _ in pairs], object)
    return Judgments(queries, documents, query, document, score, low, high, source)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@settings(max_examples=40)
@given(data=st.data())
def test_writing_and_reading_gives_the_same(tmp_path_factory, suffix, data):
    judgments = _random_judgments(data.draw)
    part = st.sampled_from(["train", "validation", "novel"])
    query_part = [data.draw(part) for _ in judgments.queries.ids]
    document_part = [data.draw(part) for _ in judgments.documents.ids]
    folder = tmp_path_factory.mktemp("round")
    write_judgments(folder / f"judgments{suffix}", judgments, query_part, document_part)
    sections = {
        "judgments": {"path": f"judgments{suffix}"},
        "query": {"fields": {f.name: {"type": f.type, "weight": f.weight} for f in judgments.queries.fields}},
    }
    file = read_judgments_file(from_mapping(sections, folder), judgments.documents)
    back = file.judgments
    assert back.queries == judgments.queries
    for name in ("query", "document", "score", "low", "high", "source"):
        assert list(getattr(back, name)) == list(getattr(judgments, name)), name
    judged = set(judgments.document)
    assert list(file.query_part) == query_part
    assert list(file.document_part) == [p if d in judged else None for d, p in enumerate(document_part)]


def _with_images(images):
    queries = Table([f"q{i}" for i in range(len(images))], (Field("photo", "image"),), {"photo": images})
    ones = np.ones(len(images))
    rows = np.arange(len(images))
    return Judgments(queries, DOCUMENTS, rows, rows * 0, ones, ones, ones, np.full(len(images), "x", object))


def test_image_queries_round_trip(tmp_path):
    query = {"fields": {"photo": {"type": "image"}}}
    inside, outside = tmp_path / "sub/a.png", tmp_path.parent / "b.png"
    write_judgments(tmp_path / "judgments.csv", _with_images([inside, outside, None]))
    assert "sub/a.png" in (tmp_path / "judgments.csv").read_text().replace(str(tmp_path), "")
    sections = {"judgments": {"path": "judgments.csv"}, "query": query}
    back = read_judgments(from_mapping(sections, tmp_path), DOCUMENTS)
    assert back.queries.columns["photo"] == [inside, outside, None]

    inside.parent.mkdir()
    inside.write_bytes(b"file")
    write_judgments(tmp_path / "judgments.parquet", _with_images([b"bytes", inside]))
    sections["judgments"]["path"] = "judgments.parquet"
    back = read_judgments(from_mapping(sections, tmp_path), DOCUMENTS)
    assert back.queries.columns["photo"] == [b"bytes", b"file"]


def test_what_cannot_be_written_leaves_nothing(tmp_path):
    with pytest.raises(JudgmentsError, match="a CSV cannot hold the images of field 'photo'"):
        write_judgments(tmp_path / "judgments.csv", _with_images([b"bytes"]))
    with pytest.raises(JudgmentsError, match=r"written as \.csv or \.parquet"):
        write_judgments(tmp_path / "judgments.xlsx", _with_images([None]))
    clash = Table(["q"], (Field("low", "number"),), {"low": [1.0]})
    one, row = np.ones(1), np.zeros(1, np.int64)
    with pytest.raises(JudgmentsError, match="cannot be named 'low'"):
        write_judgments(
            tmp_path / "judgments.csv",
            Judgments(clash, DOCUMENTS, row, row, one, one, one, np.array(["x"], object)),
        )
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "judgments.parquet"
    write_judgments(path, _with_images([None]))
    before = path.read_bytes()

    def fail(table, file):
        file.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pa.parquet, "write_table", fail)
    with pytest.raises(OSError, match="No space left"):
        write_judgments(path, _with_images([None, None]))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_real_ratings_without_query_ids(shared_data):
    folder = shared_data / "chorus_icecat"
    rows = (folder / "Broad_Query_Set_rated.csv").read_text(encoding="utf-8").splitlines()[1:]
    ids = sorted({row.rsplit(",", 2)[1] for row in rows})
    sections = {
        "judgments": {
            "path": "Broad_Query_Set_rated.csv", "doc_id": "docid", "score": "rating", "scale": 3,
        }
    }  # fmt: skip
    judgments = read_judgments(from_mapping(sections, folder), Table(ids, (), {}))
    assert len(judgments) == len(rows) == 3668
    assert len(judgments.queries) == 135
    assert sorted(set(np.rint(3 * judgments.score))) == [0, 1, 2, 3]
    assert judgments.score.sum() == pytest.approx(sum(int(row.rsplit(",", 1)[1]) for row in rows) / 3)


def test_jsonl(tmp_path):
    lines = [{"query_id": 1, "query": "bolt", "doc_id": "d1", "score": 1}, {"query_id": 1, "query": "bolt",
              "doc_id": "d2", "score": 0.25, "low": 0.2}]  # fmt: skip
    file = _read(tmp_path, "\n".join(map(json.dumps, lines)), "judgments.jsonl")
    assert _pairs(file.judgments) == {("1", "d1"): (1, 1, 1), ("1", "d2"): (0.2, 0.25, 0.25)}
