"""A form in a real kernel without a browser, as nbclient, nbval and nbconvert see it."""

from __future__ import annotations

import json

import nbformat
from nbclient import NotebookClient

CELLS = [
    """import labkit as lk
the_quiz = lk.quiz([{"id": "q", "question": "Which is even?", "type": "multiple_choice", "answers": [
    {"answer": "3", "correct": False, "feedback": "WHY-WRONG"},
    {"answer": "4", "correct": True, "feedback": "WHY-RIGHT"}]}])
the_quiz""",
    'the_quiz.answer(1, "a")',
    'lk.predict("ch01-x", "How many?", unit="tokens/s")',
    'lk.check("ch19-three-and-three", None)',
]


def test_a_form_is_text_and_its_saved_state_holds_no_answer():
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in CELLS])
    NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    outputs = [cell.outputs for cell in notebook.cells]
    assert [len(some) for some in outputs] == [1, 1, 1, 1]
    form = outputs[0][0].data
    assert set(form) == {"text/plain", "text/html", "application/vnd.jupyter.widget-view+json"}
    assert "b) 4" in form["text/plain"] and "<li>4</li>" in form["text/html"]
    state = json.dumps(notebook.metadata.widgets)
    assert "Which is even?" in state and "data-lm-suppress-shortcuts" in state
    for text in (state, json.dumps(form)):
        assert "WHY" not in text and '"correct"' not in text
    assert "WHY-WRONG" in outputs[1][0].data["text/plain"]
    assert "WHY-RIGHT" not in json.dumps(outputs)
    assert "How many?" in outputs[2][0].data["text/plain"]
    assert "Not answered" in outputs[3][0].data["text/html"]
