"""The bars of chapter 16 say what was counted."""

from __future__ import annotations

from labkit.estimating.proportion import wilson_interval
from labkit.evaluation.prompting import BARE, TEMPLATE
from labkit.evaluation.right_answers import RightAnswers, TemplateTest
from labkit.learning.template_chart import template_chart
from labkit.measuring.hardware import machine


def result(*counts):
    rows = [
        RightAnswers(model, form, holds, right, 100, *wilson_interval(right, 100))
        for model, form, holds, right in counts
    ]
    return TemplateTest(rows, {"quick": False}, machine(), {})


def test_the_text_holds_every_count_and_the_message():
    chart = template_chart(
        result(("b", BARE, 52, 0), ("b", TEMPLATE, 1, 0), ("i", BARE, 63, 50), ("i", TEMPLATE, 94, 93))
    )
    text = repr(chart)
    assert text.startswith("Answered and stopped, most often: i (in the template), 93 %.")
    assert "b (bare): 52 of 100 replies hold the right answer, 0 stop there" in text
    assert "95 % intervals" in chart.html()


def test_one_count_and_all_or_nothing_can_be_drawn():
    assert "100 stop there" in repr(template_chart(result(("i", TEMPLATE, 100, 100))))
    assert "0 stop there" in repr(template_chart(result(("b", BARE, 0, 0))))
