"""A file for a spreadsheet holds no formula, whatever somebody wrote."""

from __future__ import annotations

import csv
from decimal import Decimal
from io import StringIO

import pytest

from techdeputies.lib.sheets import safe, sheet


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "  =1", '=cmd|" /C calc"!A0', "|x", "%x"]
)
def test_what_would_be_run_becomes_a_text(text: str) -> None:
    assert safe(text) == f"'{text}"


@pytest.mark.parametrize("value", [Decimal("-12.50"), -3, 0, 1.5, "November 2026", ""])
def test_numbers_and_plain_words_stay(value: object) -> None:
    assert safe(value) == value


def test_nothing_is_empty() -> None:
    assert safe(None) == ""


def test_the_file_is_kept_under_its_name_and_read_as_utf_8() -> None:
    answer = sheet("names.csv", ["Name", "Sum"], [["Zoë, “the cat”", Decimal("-1.00")], ["=1", 2]])

    assert answer["Content-Disposition"] == 'attachment; filename="names.csv"'
    text = answer.content.decode("utf-8-sig")
    assert list(csv.reader(StringIO(text))) == [["Name", "Sum"], ["Zoë, “the cat”", "-1.00"], ["'=1", "2"]]
