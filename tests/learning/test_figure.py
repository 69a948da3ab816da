"""Figures: a picture with its text, closed behind itself."""

from __future__ import annotations

import base64
import re

import pytest

from labkit.errors import LabError
from labkit.learning.figure import COLOURS, figure_html, plain_style


def test_a_figure_has_its_text_and_is_closed():
    with plain_style() as plt:
        before = plt.get_fignums()
        fig, axes = plt.subplots()
        axes.plot([1, 2], [3, 4])
        figure = figure_html(fig, 'Rises from 3 to "4" & on', "Measured <here>.")
        assert plt.get_fignums() == before
    page = figure._repr_html_()
    assert 'alt="Rises from 3 to &quot;4&quot; &amp; on"' in page
    assert "<figcaption>Measured &lt;here&gt;.</figcaption>" in page
    picture = base64.b64decode(re.search(r"base64,([^\"]+)", page)[1])
    assert picture.startswith(b"\x89PNG")
    assert 300 < figure.width < 1200
    assert repr(figure) == 'Rises from 3 to "4" & on\nMeasured <here>.'


def test_a_figure_without_text_is_refused():
    with plain_style() as plt, pytest.raises(LabError, match="text alternative"):
        figure_html(plt.figure(), " ")


def test_the_first_colours_differ_in_greyscale():
    def lightness(colour: str) -> float:
        red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
        return 0.299 * red + 0.587 * green + 0.114 * blue

    values = sorted(lightness(colour) for colour in COLOURS[:3])
    assert all(b - a > 20 for a, b in zip(values, values[1:], strict=False))
