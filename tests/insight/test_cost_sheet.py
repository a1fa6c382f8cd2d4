"""The spreadsheet: its formulas, computed by an evaluator of our own, give what the model gives."""

import csv
import math
import re
import sys
import xml.etree.ElementTree as ET
import zipfile
from pathlib import Path

import pytest

from gradus.errors import MissingExtraError
from gradus.insight.cost import LINES, Input, cost_of, costs, lines_of
from gradus.insight.cost_inputs import Measured, cost_inputs
from gradus.insight.cost_sheet import formulas, write_cost_csv, write_cost_xlsx
from gradus.insight.cost_words import LABELS
from gradus.settings import CostSettings, SlaSettings

INPUTS = cost_inputs(
    CostSettings(), SlaSettings(queries_per_second=333), {"two_throughput": Measured(150, 140, 160)}
)
FEWER = cost_inputs(
    CostSettings(),
    SlaSettings(queries_per_second=333),
    {"fewer_rerank_throughput": Measured(70, 60, 80)},
    fewer=True,
)
SHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def evaluate(formula: str, cells: dict[str, float]) -> float:
    """A formula of numbers, names, + - * / ^ < >, IF and ROUNDUP."""
    python = re.sub(r"\bIF\(", "IF_(", formula).replace("^", "**").replace('"∞"', "math.inf")
    # Both branches of a Python call are computed, so a division by zero must not stop it.
    names = {"IF_": lambda test, yes, no: yes if test else no, "ROUNDUP": lambda x, digits: math.ceil(x)}
    try:
        return float(eval(python, {"math": math, **names}, cells))  # noqa: S307
    except ZeroDivisionError:
        return math.inf


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"load": 5.0},
        {"rerank_throughput": 3.0, "availability": 0.99999},
        {"instance_availability": 0.9999, "availability": 0.9},
        {"rerank_price": 0.0, "rerank_upkeep_hours": 0.0, "rerank_training_hours": 0.0},
        {"switch_hours": 0.0},
    ],
)
@pytest.mark.parametrize("inputs", [INPUTS, FEWER], ids=["one stage", "fewer"])
def test_formulas_compute_what_the_model_computes(
    inputs: dict[str, Input], changes: dict[str, float]
) -> None:
    values = {name: entry.value for name, entry in inputs.items()} | changes
    cells = dict(values)
    for name, formula in formulas(inputs).items():
        cells[name] = evaluate(formula, cells)
    for name, value in costs(values).items():
        assert cells[name] == pytest.approx(float(value), rel=1e-12), name


def test_formulas_read_as_people_write_them() -> None:
    texts = formulas(INPUTS)
    assert texts["one_needed"] == "ROUNDUP(load/(one_throughput*utilisation)-1E-09,0)"
    assert texts["two_needed"] == "ROUNDUP(load/(two_throughput*utilisation)-1E-09,0)"
    assert texts["two_refreshing"] == "(one_training_hours+one_embedding_hours)*training_price*refreshes"
    assert formulas(FEWER)["fewer_rerank_needed"] == (
        "ROUNDUP(load/(fewer_rerank_throughput*utilisation)-1E-09,0)"
    )
    assert texts["payback"] == 'IF(saving_month>0,switching/saving_month,"∞")'


def cells_of(book: zipfile.ZipFile, sheet: int) -> dict[str, tuple[str | None, str | None]]:
    """Cell → its formula and its value as text."""
    shared = [
        "".join(item.itertext())
        for item in ET.fromstring(book.read("xl/sharedStrings.xml"))  # noqa: S314
    ]
    found = {}
    for cell in ET.fromstring(book.read(f"xl/worksheets/sheet{sheet}.xml")).iter(f"{SHEET}c"):  # noqa: S314
        formula, value = cell.findtext(f"{SHEET}f"), cell.findtext(f"{SHEET}v")
        if cell.get("t") == "s" and value is not None:
            value = shared[int(value)]
        found[cell.attrib["r"]] = (formula, value)
    return found


@pytest.mark.parametrize("inputs", [INPUTS, FEWER], ids=["one stage", "fewer"])
@pytest.mark.parametrize("language", ["en", "ja"])
def test_the_workbook_holds_live_formulas_over_named_cells(
    tmp_path: Path, language: str, inputs: dict[str, Input]
) -> None:
    pytest.importorskip("xlsxwriter")
    path, made = tmp_path / "cost.xlsx", lines_of(inputs)
    write_cost_xlsx(inputs, path, "EUR", language)  # type: ignore[arg-type]
    with zipfile.ZipFile(path) as book:
        names = {
            name.attrib["name"]: (name.text or "").replace("$", "").replace("'", "").split("!")[1]
            for name in ET.fromstring(book.read("xl/workbook.xml")).iter(f"{SHEET}definedName")  # noqa: S314
        }
        entries, lines = cells_of(book, 1), cells_of(book, 2)
    assert set(names) == set(inputs) | {line.name for line in made}
    for name, entry in inputs.items():
        row = names[name].removeprefix("B")
        assert float(entries[f"B{row}"][1] or "nan") == entry.value
        assert entries[f"A{row}"][1] == LABELS[language][name]  # type: ignore[index]
        assert entries[f"G{row}"][1] == name
    model, texts = cost_of(inputs), formulas(inputs)
    for line in made:
        formula, cached = lines[names[line.name]]
        assert formula == texts[line.name]
        assert float(cached or "nan") == pytest.approx(model[line.name])


def test_what_never_happens_is_written_as_such(tmp_path: Path) -> None:
    pytest.importorskip("xlsxwriter")
    free = INPUTS | {
        name: Input(0, 0, 0, "", "gradus.toml")
        for name in ("rerank_price", "rerank_training_hours", "rerank_upkeep_hours")
    }
    free |= {"two_throughput": free["one_throughput"]}
    write_cost_xlsx(free, tmp_path / "cost.xlsx", "EUR")
    with zipfile.ZipFile(tmp_path / "cost.xlsx") as book:
        cells = cells_of(book, 2)
    row = 2 + [line.name for line in LINES].index("payback")
    assert cells[f"B{row}"][1] == "∞"


def test_the_csv_holds_inputs_values_and_formulas(tmp_path: Path) -> None:
    write_cost_csv(INPUTS, tmp_path / "cost.csv", "EUR", "ja")
    with (tmp_path / "cost.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = {row["名前"]: row for row in csv.DictReader(file)}
    assert set(rows) == set(INPUTS) | {line.name for line in LINES}
    assert float(rows["load"]["値"]) == 333
    assert (float(rows["two_throughput"]["下限"]), rows["two_throughput"]["出所"]) == (140, "測定値")
    assert float(rows["saving"]["値"]) == pytest.approx(cost_of(INPUTS)["saving"])
    assert rows["saving"]["出所"] == "two_total-one_total"
    assert rows["saving"]["単位"] == "EUR"


def test_every_source_and_unit_is_said_in_japanese(tmp_path: Path) -> None:
    write_cost_csv(cost_inputs(CostSettings(), SlaSettings(), fewer=True), tmp_path / "cost.csv", "円", "ja")
    with (tmp_path / "cost.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["下限"]]
    assert all(re.search("[ぁ-んァ-ン一-龥]", row["出所"]) for row in rows)
    assert all(re.search("[ぁ-んァ-ン一-龥]", row["単位"]) for row in rows)


def test_without_the_extra_the_remedy_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "xlsxwriter", None)
    with pytest.raises(MissingExtraError, match=r"gradus\[xlsx\]"):
        write_cost_xlsx(INPUTS, tmp_path / "cost.xlsx", "EUR")
    assert not (tmp_path / "cost.xlsx").exists()
