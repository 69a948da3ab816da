"""Predictions: kept, compared, and marked when they come too late."""

from __future__ import annotations

import pytest

from labkit.errors import LabError
from labkit.learning.prediction import compare_prediction, predict, ratio_in_words


def test_a_number_is_kept_and_compared():
    predict("ch01-speed", "How fast?", unit="tokens/s").answer(20)
    again = predict("ch01-speed", "How fast?", unit="tokens/s")
    assert again.value == 20
    assert "You predicted: 20 tokens/s." in again.view().result_html
    result = compare_prediction("ch01-speed", 42.0)
    assert "The measurement is 2.1 times your prediction." in repr(result)
    assert "42 tokens/s" in repr(result) and "20 tokens/s" in result._repr_html_()
    assert result.late == ""


def test_what_was_counted_is_not_called_measured():
    predict("ch01-share", "What share?", unit="%").answer(40)
    result = compare_prediction("ch01-share", 20.0, counted=True)
    assert "Counted" in repr(result) and "2 times the count" in repr(result)
    assert "easure" not in result._repr_html_()


def test_without_a_prediction_it_says_so():
    assert "You made no prediction." in repr(predict.show("ch01-none", 3.0))
    assert "No prediction yet." in repr(predict("ch01-none", "?"))


def test_a_change_after_the_measurement_is_marked():
    guess = predict("ch01-late", "How fast?", unit="tokens/s").answer(20)
    compare_prediction("ch01-late", 42)
    guess.answer(20)  # the same again is no change
    assert compare_prediction("ch01-late", 42).late == ""
    guess.answer(42)
    assert "You changed this prediction after you had measured." in repr(compare_prediction("ch01-late", 42))
    assert "after you had measured" in guess.view().result_html


def test_a_first_prediction_after_the_measurement_is_marked():
    compare_prediction("ch01-first", 42)
    predict("ch01-first", "How fast?").answer(41)
    assert "You made this prediction after you had measured." in repr(compare_prediction("ch01-first", 42))


def test_choices():
    ask = predict("ch01-choice", "Which?", options=["Alpha", "Beta"])
    ask.answer("b")
    assert ask.value == "Beta"
    ask.answer("Alpha")
    assert "something else" in repr(predict.compare("ch01-choice", "Beta"))
    assert "what you predicted" in repr(compare_prediction("ch01-choice", "Alpha"))
    with pytest.raises(LabError, match="none of the options"):
        ask.answer("Gamma")
    with pytest.raises(LabError, match="none of the options"):
        ask.answer(None)


def test_the_form_commits_and_asks_for_a_value():
    form = predict("ch01-form", "How fast?", unit="tokens/s").form
    view = form.press("commit")
    assert view.fields[0].error == "Type a number first."
    view = form.press("commit", {"guess": 12.5})
    assert "You predicted: 12.5 tokens/s." in view.result_html
    assert view.buttons[0].label == "Change my prediction"
    assert view.fields[0].value == 12.5


@pytest.mark.parametrize("wrong", ["fast", None, float("nan"), [], "3,5"])
def test_no_number_is_a_sentence(wrong):
    with pytest.raises(LabError):
        predict("ch01-wrong", "?").answer(wrong)


@pytest.mark.parametrize("wrong", [None, [], float("nan"), object()])
def test_what_was_not_measured_is_a_sentence(wrong):
    with pytest.raises(LabError, match="Run the measurement again"):
        compare_prediction("ch01-wrong", wrong)


def test_ratios_in_words():
    assert ratio_in_words(10, 10) == "You predicted exactly that."
    assert ratio_in_words(10.5, 10) == "You were within 10 % of it."
    assert ratio_in_words(10, 3000) == "Your prediction is 300 times the measurement."
    assert ratio_in_words(3000, 1) == "The measurement is 3,000 times your prediction."
    assert "differ by 13" in ratio_in_words(10, -3)
