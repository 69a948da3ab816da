"""Quizzes: jupyterquiz's format in and out, every type judged, no answer on the page."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest

from labkit.errors import LabError
from labkit.learning.form import static_html
from labkit.learning.judge_question import edit_distance, judge
from labkit.learning.progress import events
from labkit.learning.quiz import quiz
from labkit.learning.quiz_file import quiz_names, read_questions, to_jupyterquiz
from labkit.settings import datasets_dir

SAMPLE = [
    {
        "id": "capital",
        "question": "What is the capital of France?",
        "type": "multiple_choice",
        "answers": [
            {"answer": "Lyon", "correct": False, "feedback": "Lyon is the third largest city."},
            {"answer": "Paris", "correct": True, "feedback": "SECRET since 987."},
            {"answer": "Nice", "correct": False, "feedback": "Nice lies at the sea."},
        ],
    },
    {
        "id": "primes",
        "question": "Which are prime?",
        "type": "many_choice",
        "code": "n = 2, 3, 4",
        "answers": [
            {"answer": "2", "correct": True, "feedback": "SECRET two."},
            {"code": "3", "correct": True, "feedback": "SECRET three."},
            {"answer": "4", "correct": False, "feedback": "4 is 2 times 2."},
        ],
    },
    {
        "id": "pi",
        "question": "What is pi?",
        "type": "numeric",
        "precision": 3,
        "answers": [
            {"type": "value", "value": 3.14159, "correct": True, "feedback": "SECRET ratio."},
            {"type": "range", "range": [-1000, 0], "correct": False, "feedback": "It is positive."},
            {"type": "range", "range": [6.28, 6.29], "correct": False, "feedback": "That is twice pi."},
            {"type": "default", "feedback": "Measure a circle."},
        ],
    },
    {
        "id": "president",
        "question": "Who was it?",
        "type": "string",
        "answers": [
            {
                "answer": "John F. Kennedy",
                "correct": True,
                "feedback": "SECRET Jack.",
                "fuzzy_threshold": 0.8,
            },
            {"answer": "Kennedy", "correct": False, "feedback": "Give the first name too."},
            {"answer": "JFK", "correct": True, "match_case": True},
        ],
    },
]


@pytest.mark.parametrize(
    ("number", "given", "correct", "words"),
    [
        (1, "b", True, "SECRET since 987."),
        (1, " B ", True, "SECRET since 987."),
        (1, "a", False, "Lyon is the third largest city."),
        (1, "z", False, "no such option"),
        (1, "paris", False, "no such option"),
        (1, None, False, "Choose an option"),
        (1, ["a", "b"], False, "takes one option"),
        (1, 7, False, "no choice"),
        (2, ["a", "b"], True, "SECRET two."),
        (2, ["a"], False, "One right option is missing."),
        (2, ["a", "b", "c"], False, "Not this one: 4. 4 is 2 times 2."),
        (2, [], False, "Choose an option"),
        (2, "c", False, "2 right options are missing."),
        (3, 3.14, True, "SECRET ratio."),
        (3, "3.1416", True, "SECRET ratio."),
        (3, "22/7", True, "SECRET ratio."),
        (3, 3.2, False, "Measure a circle."),
        (3, -3, False, "positive"),
        (3, 6.28, False, "twice pi"),
        (3, 6.29, False, "Measure a circle."),
        (3, "3,14", False, "decimal comma"),
        (3, "abc", False, "not a number"),
        (3, "", False, "Type a number"),
        (3, float("nan"), False, "NaN"),
        (3, 10**400, False, "not a number"),
        (4, "john f. kennedy", True, "SECRET Jack."),
        (4, "Jon F. Kenedy", True, "SECRET Jack."),
        (4, "kennedy", False, "first name"),
        (4, "JFK", True, ""),
        (4, "jfk", False, ""),
        (4, "x" * 10_000, False, ""),
        (4, "  ", False, "Type your answer"),
        (4, object(), False, "Type your answer"),
    ],
)
def test_answers_are_judged_with_their_reasons(number, given, correct, words):
    result = quiz(SAMPLE).answer(number, given)
    assert result.correct is correct
    assert words in repr(result)
    assert ("Correct" in repr(result)) is correct


def test_3_14_to_three_digits_is_not_3_2_but_22_7_is_pi():
    question = read_questions(SAMPLE, "sample")[2]
    assert not judge(question, 3.15).correct
    assert judge(question, 22 / 7).correct


def test_the_quiz_counts_what_is_right_and_tells_progress():
    the_quiz = quiz(SAMPLE)
    assert the_quiz.status() == "0 of 4 right."
    the_quiz.answer(1, "a")
    the_quiz.answer(1, "b")
    the_quiz.answer(1, "a")  # once right stays right
    the_quiz.answer(3, "not a number at all")  # no answer: nothing to record
    assert the_quiz.status() == "1 of 4 right."
    assert [(e.item, e.verdict) for e in events("quiz", the_quiz.name)] == [
        ("capital", "not yet"),
        ("capital", "correct"),
        ("capital", "not yet"),
    ]
    again = quiz(SAMPLE)
    assert again.status() == "1 of 4 right."
    assert "solved this one before" in again.view().sections[0].result_html


def test_the_form_judges_one_question_and_keeps_the_others_choices():
    form = quiz(SAMPLE).form
    view = form.press("check-capital", {"capital": "c", "primes": ["a"], "pi": "3"})
    assert "Not yet." in view.sections[0].result_html
    assert "Nice lies at the sea." in view.sections[0].result_html
    assert view.sections[1].result_html == ""
    assert view.sections[1].fields[0].value == ["a"]
    assert view.sections[2].fields[0].value == "3"
    view = form.press("check-capital", {"capital": "b"})
    assert "Correct." in view.sections[0].result_html
    assert view.status == "1 of 4 right."
    view = form.press("check-primes", {"primes": []})
    assert "Not answered." in view.sections[1].result_html


def test_neither_page_nor_text_holds_an_answer_that_was_not_given():
    the_quiz = quiz(SAMPLE)
    bundle = the_quiz._repr_mimebundle_()
    sent = json.dumps(asdict(the_quiz.view()))
    for text in (sent, static_html(the_quiz.view()), the_quiz.text(), *bundle.values()):
        assert "SECRET" not in text and "correct" not in text.lower() and "987" not in text
        assert "Paris" in text and "capital of France" in text
    the_quiz.answer(1, "a")
    assert "SECRET" not in json.dumps(asdict(the_quiz.view()))


def test_it_saves_what_jupyterquiz_reads_and_reads_it_back(tmp_path):
    path = quiz(SAMPLE).save(tmp_path / "sample.json")
    saved = json.loads(path.read_text(encoding="utf-8"))
    assert to_jupyterquiz(read_questions(saved, "saved")) == saved
    assert [q["type"] for q in saved] == [q["type"] for q in SAMPLE]
    assert saved[2]["answers"][3] == {"type": "default", "feedback": "Measure a circle."}
    assert saved[2]["answers"][2]["range"] == [6.28, 6.29]
    assert read_questions(saved, "saved") == quiz(path).questions
    assert quiz(path).name == "sample"


def test_a_name_finds_the_course_quiz_or_names_the_near_ones(tmp_path, monkeypatch):
    monkeypatch.setenv("LABKIT_DATASETS", str(tmp_path))
    (tmp_path / "quizzes").mkdir()
    quiz(SAMPLE).save(tmp_path / "quizzes" / "ch01-sample.json")
    assert quiz("ch01-sample").name == "ch01-sample"
    with pytest.raises(LabError, match="Did you mean ch01-sample"):
        quiz("ch01-sampel")
    with pytest.raises(LabError, match="questions 1 to 4"):
        quiz("ch01-sample").answer(0, "a")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({}, "no list of questions"),
        ([], "no list of questions"),
        ([3], "Question 1"),
        ([{"question": "?", "type": "essay", "answers": [{}]}], "essay"),
        ([{"question": "?", "type": "string", "answers": [{"answer": "x"}]}], "no answer is correct"),
        ([{"question": "?", "type": "numeric", "answers": [{"correct": True}]}], "value, a range or"),
        (
            [{"question": "?", "type": "numeric", "answers": [{"range": [1], "correct": True}]}],
            "can't be read",
        ),
        ([SAMPLE[0], SAMPLE[0]], "same id"),
    ],
)
def test_a_broken_quiz_says_where(data, words):
    with pytest.raises(LabError, match=words):
        read_questions(data, "here")


def test_a_broken_file_is_a_sentence(tmp_path):
    path = tmp_path / "broken.json"
    path.write_text("{not json")
    with pytest.raises(LabError, match="broken.json can't be read"):
        quiz(path)


def test_multiple_choice_with_two_right_options_is_many_choice_as_in_jupyterquiz():
    data = [{**SAMPLE[1], "type": "multiple_choice"}]
    assert read_questions(data, "here")[0].type == "many_choice"


@pytest.mark.parametrize("name", quiz_names())
def test_a_quiz_of_the_course_explains_every_wrong_answer(name):
    the_quiz = quiz(name)
    saved = json.loads((datasets_dir() / "quizzes" / f"{name}.json").read_text(encoding="utf-8"))
    assert all(item.get("id") for item in saved), "progress is counted by id"
    assert 4 <= len(the_quiz.questions) <= 8
    page = json.dumps(asdict(the_quiz.view())) + the_quiz.text()
    for question in the_quiz.questions:
        assert question.question
        for answer in question.answers:
            assert answer.feedback or (answer.correct and question.type == "string"), question.id
            assert len(answer.feedback) < 40 or answer.feedback not in page
        if question.type in ("numeric", "string"):
            assert any(answer.default for answer in question.answers), question.id


def test_edit_distance():
    assert edit_distance("kitten", "sitting") == 3
    assert edit_distance("", "abc") == 3
    assert edit_distance("abc", "abc") == 0
