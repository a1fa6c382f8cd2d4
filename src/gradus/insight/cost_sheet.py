"""The cost model as a spreadsheet whose formulas are live, and as CSV."""

import csv
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gradus.errors import MissingExtraError
from gradus.files import atomic_file
from gradus.insight.cost import Input, cost_of, lines_of, twins_of
from gradus.insight.cost_words import LABELS, show_source, show_unit
from gradus.insight.formula import NEVER, Formula, Value, write
from gradus.insight.verdict_words import Language

_HEADS: dict[Language, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "en": (("Input", "Value", "Low", "High", "Unit", "Source", "Name"), ("Line", "Value", "Unit", "Name")),
    "ja": (("入力", "値", "下限", "上限", "単位", "出所", "名前"), ("項目", "値", "単位", "名前")),
}
_SHEETS: dict[Language, tuple[str, str]] = {"en": ("Inputs", "Costs"), "ja": ("入力", "費用")}


def formulas(inputs: Mapping[str, Input]) -> dict[str, str]:
    """Line of the model → its formula over the names of inputs and of lines above, without the leading =."""
    cells: dict[str, Value] = {twin: Formula(of) for twin, of in twins_of(inputs).items()}
    cells |= {name: Formula(name) for name in inputs}
    texts = {}
    for line in lines_of(inputs):
        texts[line.name] = write(line.formula(cells), 3)
        cells[line.name] = Formula(line.name)
    return texts


def write_cost_xlsx(
    inputs: Mapping[str, Input], path: Path, currency: str, language: Language = "en"
) -> None:
    """Write a workbook of two sheets: the inputs, to be changed by hand, and the costs that follow from them.

    Every cell of a value has a name, and formulas are written in these names. A program that does not
    compute shows the values of the inputs as they were.

    Args:
        inputs: The model's inputs.
        path: The file, .xlsx; an older one is replaced whole.
        currency: Name of the currency.
        language: Of the labels.

    Raises:
        MissingExtraError: XlsxWriter is not installed.
    """
    try:
        import xlsxwriter
    except ImportError:
        raise MissingExtraError("The spreadsheet", "xlsx") from None
    labels, (sheet_of_inputs, sheet_of_costs) = LABELS[language], _SHEETS[language]
    values, texts = cost_of(inputs), formulas(inputs)
    with atomic_file(path) as aside, xlsxwriter.Workbook(str(aside)) as book:
        bold = book.add_format({"bold": True, "bottom": 1})
        changeable = book.add_format({"num_format": "#,##0.####", "bg_color": "#FFF8DC", "border": 1})
        plain = book.add_format({"num_format": "#,##0.####"})
        numbers = {
            "money": book.add_format({"num_format": "#,##0.00"}),
            "share": book.add_format({"num_format": "0.0000%"}),
        }
        sheet = book.add_worksheet(sheet_of_inputs)
        _start(sheet, _HEADS[language][0], bold, (46, 14, 14, 14, 20, 60, 24))
        for row, (name, entry) in enumerate(inputs.items(), 1):
            sheet.write_string(row, 0, labels[name])
            sheet.write_number(row, 1, entry.value, changeable)
            sheet.write_number(row, 2, entry.low, plain)
            sheet.write_number(row, 3, entry.high, plain)
            sheet.write_string(row, 4, show_unit(entry.unit, currency, language))
            sheet.write_string(row, 5, show_source(entry.source, language))
            sheet.write_string(row, 6, name)
            book.define_name(name, f"='{sheet_of_inputs}'!$B${row + 1}")
        sheet = book.add_worksheet(sheet_of_costs)
        _start(sheet, _HEADS[language][1], bold, (52, 18, 20, 24))
        for row, line in enumerate(lines_of(inputs), 1):
            form = numbers.get(line.unit.split(" ")[0], plain)
            sheet.write_string(row, 0, labels[line.name])
            sheet.write_formula(row, 1, f"={texts[line.name]}", form, _finite(values[line.name]))
            sheet.write_string(row, 2, show_unit(line.unit, currency, language))
            sheet.write_string(row, 3, line.name)
            book.define_name(line.name, f"='{sheet_of_costs}'!$B${row + 1}")


def write_cost_csv(inputs: Mapping[str, Input], path: Path, currency: str, language: Language = "en") -> None:
    """Write inputs and costs as one CSV file with the columns of the inputs; lines of the model have no range.

    Args:
        inputs: The model's inputs.
        path: The file; an older one is replaced whole.
        currency: Name of the currency.
        language: Of the labels.
    """
    labels, values, texts = LABELS[language], cost_of(inputs), formulas(inputs)
    with atomic_file(path) as aside, aside.open("w", encoding="utf-8-sig", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(_HEADS[language][0])
        for name, entry in inputs.items():
            unit, source = show_unit(entry.unit, currency, language), show_source(entry.source, language)
            rows.writerow((labels[name], entry.value, entry.low, entry.high, unit, source, name))
        for line in lines_of(inputs):
            unit = show_unit(line.unit, currency, language)
            rows.writerow(
                (labels[line.name], _finite(values[line.name]), "", "", unit, texts[line.name], line.name)
            )


def _start(sheet: Any, heads: tuple[str, ...], form: Any, widths: tuple[int, ...]) -> None:
    for column, (head, width) in enumerate(zip(heads, widths, strict=True)):
        sheet.set_column(column, column, width)
        sheet.write_string(0, column, head, form)
    sheet.freeze_panes(1, 1)


def _finite(value: float) -> float | str:
    return value if math.isfinite(value) else NEVER
