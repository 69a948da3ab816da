"""What all results share: spread, table, JSON."""

from __future__ import annotations

import json
import statistics
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.errors import LabError
from labkit.measuring.hardware import Machine, machine
from labkit.measuring.results import Row, Spread, format_number


@given(st.lists(st.floats(1e-3, 1e6), min_size=1, max_size=30))
def test_spread_is_the_sample_statistics(values: list[float]) -> None:
    spread = Spread.of(values)
    assert min(values) <= spread.median <= max(values)
    assert spread.mean == pytest.approx(statistics.fmean(values))
    assert spread.std == (statistics.stdev(values) if len(values) > 1 else 0)
    assert spread.values == values


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (41.27, "41.3"), (1234.5, "1,234"), (0.01234, "0.0123"), (999.6, "1,000"), (2.0, "2.00")],
)
def test_three_digits(value: float, text: str) -> None:
    assert format_number(value) == text


def test_rows_say_their_unit() -> None:
    assert Row("speed", Spread.of([40, 42]), "tokens/s").text() == "41.0 ± 1.41 tokens/s (2 runs)"
    runs = Spread.of([7.743, 9.083, 35.0, 31.7, 8.734])
    assert Row("speed", runs, "tokens/s").text() == "9.08 tokens/s (5 runs from 7.74 to 35.0)"
    assert Row("size", 98_362_432, "bytes").text() == "93.8 MiB"
    assert Row("bandwidth", Spread.of([2.0**30]), "bytes/s").text().startswith("1.00 GiB/s")
    assert Row("unknown", None, "bytes").text() == "not known"


def test_json_round_trip(tmp_path: Path) -> None:
    here = machine()
    path = here.save(tmp_path / "deep" / "machine.json")
    assert Machine.load(path) == here
    assert json.loads(path.read_text(encoding="utf-8"))["cores_allowed"] == here.cores_allowed
    assert [p.name for p in path.parent.iterdir()] == ["machine.json"]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"cpu": 5}', "\x00", '"text"'])
def test_other_files_are_told(tmp_path: Path, text: str) -> None:
    path = tmp_path / "odd.json"
    path.write_text(text)
    with pytest.raises(LabError) as caught:
        Machine.load(path)
    assert caught.value.cure
    with pytest.raises(LabError):
        Machine.load(tmp_path / "none.json")


class Table(HTMLParser):
    """Collects what a screen reader needs of a table."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.seen.append(f"{tag} {dict(attributes).get('scope', '')}".strip())


def test_the_table_is_accessible_and_escaped() -> None:
    here = machine()
    odd = Machine(**{**here.__dict__, "cpu": "<script>alert(1)</script>"})
    html = odd._repr_html_()
    assert "<script" not in html
    seen = Table(html).seen
    assert {"caption", "th col", "th row"} <= set(seen)
    assert seen.count("th row") == len(here.rows())
    assert all(row.quantity.strip() in repr(here) for row in here.rows())


def test_to_frame_has_one_line_per_row() -> None:
    here = machine()
    frame = here.to_frame()
    assert list(frame["quantity"]) == [row.quantity for row in here.rows()]
