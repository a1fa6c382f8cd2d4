import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from gradus.catalog.fields import Field
from gradus.catalog.read import fields_from, open_catalog, open_queries, read_arrow, read_table
from gradus.errors import CatalogError
from gradus.settings import from_mapping

FIELDS = (Field("title"), Field("kind", "category"), Field("size", "number"), Field("image", "image"))
CSV = (
    "doc_id,title,kind,size,image,extra\n"
    'a,"Ｂolt,  long",fastener,"1,234.5",a.png,x\n'
    "b,六角ボルト,,,,\n"
    'c,"two\nlines",ナット,-3e2,sub/c.png,y\n'
)
ROWS = [
    {
        "doc_id": "a",
        "title": "Ｂolt,  long",
        "kind": "fastener",
        "size": 1234.5,
        "image": "a.png",
        "extra": "x",
    },
    {"doc_id": "b", "title": "六角ボルト"},
    {
        "doc_id": "c",
        "title": "two\nlines",
        "kind": "ナット",
        "size": -300,
        "image": "sub/c.png",
        "extra": "y",
    },
]


def write_csv(folder: Path) -> Path:
    path = folder / "catalog.csv"
    path.write_text(CSV, encoding="utf-8")
    return path


def write_excel_csv(folder: Path) -> Path:
    """With a byte order mark, Windows line ends and semicolons."""
    path = folder / "catalog.csv"
    rows = [["a", "Ｂolt,  long", "fastener", "1,234.5", "a.png", "x"], ["b", "六角ボルト", "", "", "", ""]]
    lines = [";".join(row) for row in [list(ROWS[0]), *rows]]
    path.write_bytes(("\ufeff" + "\r\n".join(lines) + '\r\nc;"two\nlines";ナット;-3e2;sub/c.png;y').encode())
    return path


def write_tsv(folder: Path) -> Path:
    path = folder / "catalog.tsv"
    text = CSV.replace('"Ｂolt,  long"', "Ｂolt;  long").replace('"1,234.5"', "1234.5")
    path.write_text(text.replace(",", "\t").replace(";", ","), encoding="utf-8")
    return path


def write_jsonl(folder: Path) -> Path:
    path = folder / "catalog.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in ROWS) + "\n\n", encoding="utf-8")
    return path


def write_parquet(folder: Path) -> Path:
    path = folder / "catalog.parquet"
    pq.write_table(pa.Table.from_pylist([{**dict.fromkeys(ROWS[0]), **row} for row in ROWS]), path)
    return path


def zipped(writer: Callable[[Path], Path]) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        plain = writer(folder)
        path = plain.with_name(plain.name + ".gz")
        path.write_bytes(gzip.compress(plain.read_bytes()))
        plain.unlink()
        return path

    return write


def write_folder(folder: Path) -> Path:
    """As Hugging Face's imagefolder has it: metadata.csv with a column file_name."""
    (folder / "metadata.csv").write_text(CSV.replace("image", "file_name"), encoding="utf-8")
    return folder


WRITERS = {
    "csv": write_csv, "excel": write_excel_csv, "tsv": write_tsv, "jsonl": write_jsonl, "parquet": write_parquet,
    "csv.gz": zipped(write_csv), "tsv.gz": zipped(write_tsv), "jsonl.gz": zipped(write_jsonl), "folder": write_folder,
}  # fmt: skip


@pytest.mark.parametrize("form", WRITERS)
def test_every_format_gives_the_same_table(form: str, tmp_path: Path) -> None:
    table = read_table(WRITERS[form](tmp_path), "doc_id", FIELDS)
    assert table.ids == ["a", "b", "c"]
    assert table.columns == {
        "title": ["Bolt, long", "六角ボルト", "two lines"],
        "kind": ["fastener", None, "ナット"],
        "size": [1234.5, None, -300.0],
        "image": [tmp_path / "a.png", None, tmp_path / "sub" / "c.png"],
    }


def test_image_paths_are_relative_to_the_given_folder(tmp_path: Path) -> None:
    absolute = (tmp_path / "x.png").as_posix()
    path = tmp_path / "c.csv"
    path.write_text(f"doc_id,image\na,a.png\nb,../b.png\nc,{absolute}\n")
    table = read_table(path, "doc_id", [Field("image", "image")], images=Path("pictures"))
    assert table.columns["image"] == [Path("pictures/a.png"), Path("pictures/../b.png"), Path(absolute)]


def test_a_folder_of_images_alone(tmp_path: Path) -> None:
    for name in ("b.png", "a.JPG", "sub/a.png", ".hidden.png", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    table = read_table(tmp_path, "doc_id", [Field("image", "image")])
    assert table.ids == ["a", "b", "sub/a"]
    assert table.columns["image"] == [tmp_path / "a.JPG", tmp_path / "b.png", tmp_path / "sub/a.png"]
    (tmp_path / "b.webp").touch()
    assert read_table(tmp_path, "doc_id", [Field("image", "image")]).ids == ["a", "b.png", "b.webp", "sub/a"]


def test_a_folders_metadata_may_have_texts_of_any_length(tmp_path: Path) -> None:
    names = pa.array(["a.png", "b.png"], pa.large_string())
    pq.write_table(pa.table({"file_name": names}), tmp_path / "metadata.parquet")
    assert read_table(tmp_path, "doc_id", [Field("image", "image")]).ids == ["a", "b"]


def test_datasets_parquet_gives_bytes_or_the_path(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (2, 2)).save(buffer, "PNG")
    images = [
        {"bytes": buffer.getvalue(), "path": "a.png"},
        {"bytes": None, "path": "b.png"},
        {"bytes": None, "path": None},
        None,
    ]
    path = tmp_path / "train.parquet"
    pq.write_table(pa.table({"id": [1, 2, 3, 4], "image": images}), path)
    table = read_table(path, "id", [Field("image", "image")])
    assert table.ids == ["1", "2", "3", "4"]
    assert table.columns["image"] == [buffer.getvalue(), tmp_path / "b.png", None, None]


def test_values_of_parquet_and_jsonl_become_those_of_their_field(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    rows = [
        {
            "id": 1,
            "tags": ["red", " blue ", ""],
            "year": 2011,
            "mixed": 1,
            "flag": True,
            "more": {"a": [1, None]},
        },
        {"id": 2, "tags": [], "year": None, "mixed": "x", "flag": False, "broken": "a\ud800b"},
        {"id": 3, "year": 2012.5, "date": "2009-12-10T00:00:00Z"},
    ]
    path.write_text("\n".join(json.dumps(row) for row in rows))
    names = ("tags", "year", "mixed", "more", "date", "broken")
    table = read_table(path, "id", [*(Field(name) for name in names), Field("flag", "number")])
    assert table.columns["tags"] == ["red; blue", None, None]
    assert table.columns["year"] == ["2011", None, "2012.5"]  # 2011.0, not a whole number's text
    assert table.columns["mixed"] == ["1", "x", None]
    assert table.columns["date"] == [None, None, "2009-12-10T00:00:00Z"]
    assert table.columns["flag"] == [1.0, 0.0, None]
    assert json.loads(table.columns["more"][0]) == {"a": [1, None]}
    table.columns["broken"][1].encode("utf-8")


@pytest.mark.parametrize(
    ("cell", "value"),
    [("12", 12.0), (" 1,234 ", 1234.0), ("12,345,678.9", 12345678.9), ("１２", 12.0), ("-.5e-1", -0.05),
     ("+7.", 7.0), ("", None), ("NaN", None), ("nan", None)],
)  # fmt: skip
def test_numbers(cell: str, value: float | None, tmp_path: Path) -> None:
    path = tmp_path / "c.csv"
    path.write_text(f'doc_id,n\na,"{cell}"\n', encoding="utf-8")
    assert read_table(path, "doc_id", [Field("n", "number")]).columns["n"] == [value]


@pytest.mark.parametrize("cell", ["1,5", "12,34,567", "3 mm", "1_000", "inf", "1e999", "0x10", "二"])
def test_a_cell_that_is_no_number_is_named(cell: str, tmp_path: Path) -> None:
    path = tmp_path / "c.csv"
    path.write_text(f'doc_id,n\na,1\nb,"{cell}"\nc,"{cell}"\n', encoding="utf-8")
    with pytest.raises(CatalogError) as caught:
        read_table(path, "doc_id", [Field("n", "number")])
    message = str(caught.value)
    assert str(path) in message
    assert f"row 2, column 'n': {cell!r}" in message
    assert "1 more" in message
    assert ("decimal point" in message) == ("," in cell)


def fails(path: Path, content: str | bytes, *parts: str) -> None:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(CatalogError) as caught:
        read_table(path, "doc_id", [Field("title")])
    for part in (path.name, *parts):
        assert part in str(caught.value)


def test_errors_name_the_place_and_the_remedy(tmp_path: Path) -> None:
    path = tmp_path / "c.csv"
    fails(path, "", "empty")
    fails(path, "doc_id,title\n", "no rows")
    fails(
        path, 'doc_id,title\na,"x\ny"\nb\nc,y,z\n', "row 2 has 1 cell", "header 2", "1 more", "double quotes"
    )
    fails(path, 'doc_id,title\na,x\nb,"y\nc,z\n', "row 2", "never closed")
    fails(path, "doc_id,Titel\na,x\n", "no column 'title'", "did you mean 'Titel'?", "doc_id, Titel")
    fails(path, "doc_id,title,title\na,x,y\n", "'title' more than once")
    fails(path, "doc_id,title\na,x\n ,y\n", "'doc_id' is empty in row 2", "--fix")
    fails(path, "doc_id,title\na,x\nb,y\na ,z\n", "repeats id 'a'", "--fix")
    fails(path, "doc_id,title\na,é\n".encode("cp1252"), "byte 15 (line 2) is 0xe9", "iconv -f CP1252")
    fails(path, "doc_id,title\na,ボルト\n".encode("cp932"), "iconv -f CP932")
    fails(path, "doc_id,title\na,ボルト\n".encode("utf-16"), "iconv -f UTF-16")
    fails(tmp_path / "c.jsonl", '{"doc_id": 1}\n\n{"doc_id"\n', "line 3 is not JSON")
    fails(tmp_path / "c.jsonl", "[1]\n", "line 1 must be a JSON object")
    fails(tmp_path / "c.csv.gz", gzip.compress(CSV.encode())[:-9], "gzip")
    fails(tmp_path / "c.parquet", "PAR1", "Parquet")
    fails(tmp_path / "c.xlsx", "", "no known format", ".csv")


def test_errors_about_queries_name_their_settings_and_no_remedy_for_catalogues(tmp_path: Path) -> None:
    def said(content: str, **query: Any) -> str:
        (tmp_path / "queries.csv").write_text(content)
        with pytest.raises(CatalogError) as caught:
            open_queries(from_mapping({"query": {"path": "queries.csv", **query}}, tmp_path))
        assert "catalog." not in str(caught.value)
        assert "gradus check" not in str(caught.value)
        return str(caught.value)

    assert "no column 'qid' (query.id in gradus.toml)" in said("query_id,query\nq,x\n", id="qid")
    assert "no column 'query' (query.fields in gradus.toml)" in said("query_id,text\nq,x\n")
    assert "repeats id 'q'; a query has one row" in said("query_id,query\nq,x\nq,y\n")
    assert "is empty in row 2" in said("query_id,query\nq,x\n,y\n")
    sizes = {"size": {"type": "number"}}
    assert "(1 more such cells)" in said("query_id,size\na,x\nb,y\n", fields=sizes)


def test_folders_that_are_no_catalogue(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match=r"neither a metadata file.*; name the catalogue's file$"):
        read_arrow(tmp_path)
    (tmp_path / "train.parquet").touch()
    with pytest.raises(CatalogError, match=r"name the catalogue's file \(it holds train\.parquet\)"):
        read_arrow(tmp_path)
    (tmp_path / "metadata.csv").touch()
    (tmp_path / "metadata.jsonl").touch()
    with pytest.raises(CatalogError, match=r"several metadata files \(metadata.csv, metadata.jsonl\)"):
        read_arrow(tmp_path)
    with pytest.raises(CatalogError, match="no file or folder"):
        read_arrow(tmp_path / "lost.csv")


def test_parquet_categories_with_missing_values_are_read(tmp_path: Path) -> None:
    kinds = pa.chunked_array(
        [pa.array(["nut", None]).dictionary_encode(), pa.array(["pin"]).dictionary_encode()]
    )
    table = pa.table({"doc_id": pa.array(["a", "b", "c"]).dictionary_encode(), "kind": kinds})
    pq.write_table(table, tmp_path / "c.parquet", row_group_size=2)
    assert read_arrow(tmp_path / "c.parquet").schema.types == [pa.string(), pa.string()]
    read = read_table(tmp_path / "c.parquet", "doc_id", [Field("kind", "category")])
    assert read.columns == {"kind": ["nut", None, "pin"]}


def test_web_addresses_are_no_image_paths(tmp_path: Path) -> None:
    path = tmp_path / "c.csv"
    path.write_text("doc_id,image\na,https://example.com/a.png\n")
    with pytest.raises(CatalogError, match="web address; download"):
        read_table(path, "doc_id", [Field("image", "image")])


def test_a_cell_longer_than_a_block_is_read(tmp_path: Path) -> None:
    path = tmp_path / "c.csv"
    path.write_text(f"doc_id,title\na,{'x' * 3_000_000}\n")
    assert len(read_table(path, "doc_id", [Field("title")]).columns["title"][0]) == 3_000_000


def test_opening_what_the_settings_describe(tmp_path: Path) -> None:
    write_csv(tmp_path)
    (tmp_path / "queries.csv").write_text("query_id,query\nq1,bolt\n")
    values = {
        "catalog": {"images": "pictures", "fields": {"title": {}, "image": {"type": "image", "weight": 2}}},
        "query": {"path": "queries.csv"},
    }
    settings = from_mapping(values, tmp_path)
    documents, queries = open_catalog(settings), open_queries(settings)
    assert documents.fields == (Field("title", "text", 1.0), Field("image", "image", 2.0))
    assert documents.columns["image"][0] == tmp_path / "pictures" / "a.png"
    assert queries.columns == {"query": ["bolt"]}
    with pytest.raises(CatalogError, match="gradus init"):
        open_catalog(from_mapping({}, tmp_path))
    with pytest.raises(CatalogError, match=r"query\.path is empty"):
        open_queries(from_mapping({}, tmp_path))
    with pytest.raises(CatalogError, match="the types are"):
        fields_from({"title": {"type": "string"}})
