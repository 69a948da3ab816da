"""A text cut into boxes, and the widget around it, without a browser."""

from __future__ import annotations

import html
import re

import pytest

from labkit.errors import LabError
from labkit.learning.bpe import train_bpe
from labkit.learning.form import FormModel
from labkit.learning.token_view import OWN, Cut, TokenView, show_tokens, shown, token_explorer
from labkit.models.tokenizer import ByteTokenizer

LEARNED = train_bpe("the cat sat on the mat. the cat sat. " * 5, 12)


def words(text: str) -> str:
    return html.unescape(re.sub(r"<[^>]+>", " ", text))


def test_boxes_have_outlines_and_are_a_list_for_screen_readers() -> None:
    page = show_tokens("the cat", LEARNED)._repr_html_()
    boxes = re.findall(r'<span role="listitem" style="([^"]+)">', page)
    assert len(boxes) == LEARNED.counts(["the cat"])[0]
    assert all("border:1px solid" in style for style in boxes)
    assert 'role="list"' in page and f'aria-label="trained here: {len(boxes)} tokens"' in page
    assert "␣cat" in words(page)


def test_neighbours_differ_in_their_background_too() -> None:
    page = show_tokens("a b c", ByteTokenizer())._repr_html_()
    colours = re.findall(r"background:(rgba\([^)]+\))", page)
    assert all(left != right for left, right in zip(colours, colours[1:], strict=False))


def test_half_a_character_is_dashed_and_shown_as_bytes() -> None:
    page = show_tokens("é", ByteTokenizer())._repr_html_()
    assert page.count("border:1px dashed") == 2 and "C3" in page
    assert shown(b" \xe0\xa4") == "20 E0 A4" and shown(b"\n") == "↵" and shown("é".encode()) == "é"


def test_dashed_boxes_are_explained_where_there_are_some() -> None:
    found = show_tokens("é", ByteTokenizer())
    assert "A dashed box holds bytes" in found._repr_html_() and "20 is the space" not in found._repr_html_()
    assert "Pairs such as E0 are bytes" in repr(found) and "dashed" not in repr(found)
    joined = TokenView((Cut("one", (b" \xe0\xa4", b"\xa8")),))
    assert "20 is the space" in joined._repr_html_()
    page = show_tokens("the cat", LEARNED)._repr_html_()
    assert "␣ is a space" in page and "dashed" not in page


def test_the_text_form_says_the_same() -> None:
    text = repr(show_tokens("the cat", LEARNED, ByteTokenizer()))
    assert "trained here: 2 tokens\n  |the|␣cat|" in text and "plain bytes: 7 tokens" in text


def test_markup_in_a_text_stays_text() -> None:
    page = show_tokens("<b>&", ByteTokenizer())._repr_html_()
    assert "<b>" not in page and "&lt;" in page and "&amp;" in page


def test_a_long_text_is_cut_short_and_a_very_long_one_refused() -> None:
    view = show_tokens("a" * 1000, ByteTokenizer())
    assert "and 700 more" in view._repr_html_() and "1,000 tokens" in repr(view)
    with pytest.raises(LabError, match="too many to look at"):
        show_tokens("a" * 30_000, ByteTokenizer())
    with pytest.raises(LabError, match="no text"):
        show_tokens(5, ByteTokenizer())


def test_the_explorer_takes_samples_and_typed_text() -> None:
    found = token_explorer([LEARNED])
    assert isinstance(found, FormModel)
    form = found.form
    first = form.view.status
    assert first.startswith("trained here: ") and "The library" in words(form.view.result_html)
    other = form.press("change", {"sample": "Hindi"})
    assert other.status != first and "dashed" in other.result_html
    typed = form.press("change", {"text": "the cat"})
    assert typed.status == "trained here: 2 tokens"
    assert {f.name: f.value for f in typed.fields} == {"sample": OWN, "text": "the cat"}
    back = form.press("change", {"sample": "English"})
    assert back.status == first
    assert "the cat" not in words(back.result_html)
    assert "How is a text cut?" in found.text()


def test_every_sample_can_be_shown_and_an_empty_text_is_no_error() -> None:
    form = token_explorer([LEARNED, ByteTokenizer()]).form
    for option in form.view.fields[0].options:
        view = form.press("change", {"sample": option.value})
        assert "lk-notyet" not in view.result_html
    assert "Type a text above." in form.view.result_html
    too_long = form.press("change", {"text": "x" * 30_000})
    assert "too many to look at" in words(too_long.result_html)
    assert len(token_explorer([LEARNED, ByteTokenizer()]).tokenizers) == 1
