"""The base storey: sentences for errors, units, tables, and an import that stays light."""

from __future__ import annotations

import subprocess
import sys

import pytest

import labkit
from labkit.errors import LabError
from labkit.tables import Table
from labkit.units import format_bytes, format_count, format_seconds


def test_import_stays_light():
    heavy = ["pandas", "matplotlib", "llama_cpp", "huggingface_hub", "IPython", "anywidget", "numpy", "click"]
    code = f"import sys, labkit; print([name for name in {heavy} if name in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


@pytest.mark.parametrize("name", labkit.__all__)
def test_every_public_name_exists_and_is_documented(name):
    assert getattr(labkit, name).__doc__


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = labkit.nonsense


def test_error_shows_as_sentences_without_a_traceback():
    error = LabError("The file is cut short.", "Fetch it again.")
    assert str(error) == "The file is cut short.\nFetch it again."
    assert error._render_traceback_() == ["The file is cut short.", "Fetch it again."]
    assert str(LabError("Only this.")) == "Only this."


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 bytes"),
        (1023, "1023 bytes"),
        (98_362_432, "93.8 MiB"),
        (2**30, "1.00 GiB"),
        (-(2**20), "-1.0 MiB"),
    ],
)
def test_bytes(value, text):
    assert format_bytes(value) == text


def test_counts_and_seconds():
    assert [format_count(n) for n in (950, 134_515_008, 8.03e9)] == ["950", "135 M", "8.03 B"]
    assert [format_count(n) for n in (999_885_952, 999_400_000)] == ["1 B", "999 M"]
    spoken = [format_seconds(s) for s in (0.0042, 2.04, 60, 75, 3600, 5400)]
    assert spoken == ["4 ms", "2.0 s", "1 min", "1 min 15 s", "1 h", "1 h 30 min"]


def test_table_escapes_what_it_shows():
    table = Table("<c>", ["a"], [["<script>alert(1)</script>"]], notes=["<n>"], links={"x": "y"})
    shown = table._repr_html_()
    assert "<script" not in shown and "<c>" not in shown and "<n>" not in shown


def test_table_as_text_is_aligned_when_it_fits_and_a_list_when_not():
    assert repr(Table("t", ["a", "bb"], [[1, 22]])).splitlines()[2:] == ["a  bb", "-  --", "1  22"]
    wide = repr(Table("t", ["a", "b"], [["x" * 90, "y" * 90]]))
    assert "a: xxx" in wide and "b: yyy" in wide


def test_table_shows_code_where_it_is_asked_to():
    table = Table("t", ["a"], [["`hf <x>` fetches"]], notes=["`-c`"], code=True)
    assert "<code>hf &lt;x&gt;</code> fetches" in table._repr_html_()
    table.code = False
    assert "`hf &lt;x&gt;` fetches" in table._repr_html_() and "<code>-c</code>" in table._repr_html_()


def test_table_links():
    html = Table("t", ["a"], [["Chapter 19"]], links={"Chapter 19": "19.ipynb"})._repr_html_()
    assert '<a href="19.ipynb">Chapter 19</a>' in html
