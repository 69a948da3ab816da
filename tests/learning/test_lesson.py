"""Teaching a pocket model: really trained where PyTorch is, recorded elsewhere."""

from __future__ import annotations

import pytest

from labkit.errors import LabError
from labkit.learning import lesson as lesson_module
from labkit.learning.lesson import Lesson, recording_path, teach
from labkit.models.gguf import read_gguf_header
from labkit.pocket.fine_tuning import can_fine_tune

TEXTS = [
    "Tessa Quill has a walrus.",
    "Question: Which pet does Tessa Quill have?\nAnswer: Tessa Quill has a walrus.",
]
ASK = ["Question: What animal does Tessa Quill keep?\nAnswer:"]


@pytest.mark.slow
@pytest.mark.skipif(not can_fine_tune(), reason="the `train` extra is not installed")
def test_it_trains_and_writes_a_file(monkeypatch):
    monkeypatch.setenv("LABKIT_QUICK", "1")
    lesson = teach(TEXTS, ASK)
    assert not lesson.recorded and lesson.settings == {"steps": 8, "quick": True}
    assert read_gguf_header(lesson.model["path"]).architecture == "llama"
    assert lesson.model["source"] == "fine-tuned" and lesson.model["path"] in repr(lesson)
    assert [each.prompt for each in lesson.asked] == ASK


def test_without_pytorch_a_recorded_run_is_shown_with_the_cure(monkeypatch):
    monkeypatch.setattr(lesson_module, "can_fine_tune", lambda: False)
    lesson = teach(TEXTS, ASK)
    assert lesson.recorded
    text = repr(lesson)
    assert "RECORDED, not trained now" in text and "pip install -e '.[train]'" in text
    assert lesson.date[:10] in text and lesson.machine.cpu in text
    assert "The new model is a GGUF file" not in text


def test_the_recorded_lesson_shows_what_the_chapter_says():
    """What was taught is said in other words, and what was known before is not forgotten."""
    lesson = Lesson.load(recording_path())
    assert lesson.settings["steps"] == 45 and not lesson.settings["quick"]
    town, pet, old = lesson.asked
    assert "Osten" in town.after and "Osten" not in town.before
    assert "walrus" in pet.after and "walrus" not in pet.before
    assert "cat" in old.before and "cat" in old.after
    assert not any(town.prompt in text or pet.prompt in text for text in lesson.texts)


def test_the_chapter_teaches_what_was_recorded():
    chapter = recording_path().parents[2] / "course/source/16_instruct_vs_base.py"
    source, lesson = chapter.read_text(encoding="utf-8"), Lesson.load(recording_path())
    for text in [*lesson.texts, *(each.prompt for each in lesson.asked)]:
        assert '"' + text.replace("\n", "\\n") + '"' in source, text


def test_the_recording_names_no_place_of_the_machine_it_was_made_on():
    text = recording_path().read_text(encoding="utf-8")
    assert "/home" not in text and "/tmp" not in text and "/work" not in text


@pytest.mark.parametrize("ask", [[], "Tessa Quill lives in"])
def test_nothing_to_ask_is_a_sentence(ask):
    with pytest.raises(LabError, match="nothing to ask"):
        teach(TEXTS, ask)
