"""What holds for all tasks: one seed, one text; nothing held out in training; judges that can say no."""

from __future__ import annotations

from itertools import islice
from random import Random
from types import ModuleType

import pytest

from labkit.pocket.document import Case
from labkit.pocket.tasks import choices, code, constraints, recall, sums
from labkit.pocket.tasks.split import different, is_held_out
from labkit.pocket.tasks.words import CATEGORIES, CATEGORY_OF, NAMES, ONE_OF, OPPOSITE_OF, PRONOUNS, named
from labkit.pocket.world import FIRST_NAMES
from tests.pocket.world_texts import text_of

TASKS = (sums, recall, code, choices, constraints)
by_task = pytest.mark.parametrize("task", TASKS, ids=lambda task: task.__name__.split(".")[-1])


def texts(task: ModuleType, n: int, seed: int = 7) -> list[str]:
    """`n` documents and `n` conversations."""
    written = (*islice(task.documents(Random(seed)), n), *islice(task.conversations(Random(seed)), n))
    return [text_of(item) for item in written]


def stands_in(prompt: str, text: str) -> bool:
    """Whether a prompt is in a text; `20 + 11` is not in `20 + 119`."""
    start = text.find(prompt)
    while start >= 0:
        around = text[start - 1 : start] + text[start + len(prompt) : start + len(prompt) + 1]
        if not any(map(str.isdigit, around)):
            return True
        start = text.find(prompt, start + 1)
    return False


@by_task
def test_the_same_seed_gives_the_same_texts_and_cases(task: ModuleType) -> None:
    assert texts(task, 100) == texts(task, 100)
    assert texts(task, 100) != texts(task, 100, seed=8)
    first, again, other = ([case.prompt for case in task.held_out(35, seed)] for seed in (1, 1, 2))
    assert first == again
    assert first != other


@by_task
def test_no_training_text_holds_a_held_out_question(task: ModuleType) -> None:
    written = "\n".join(texts(task, 3000))
    for case in task.held_out(150, 1):
        assert not stands_in(case.prompt, written), case


@by_task
def test_conversations_take_turns_and_texts_are_short(task: ModuleType) -> None:
    for talk in islice(task.conversations(Random(3)), 500):
        assert talk.turns and len(talk.turns) % 2 == 0
        assert all(turn.strip() == turn and turn for turn in talk.turns)
    for document in islice(task.documents(Random(3)), 500):
        assert 0 < recall.estimate_tokens(document.text) < 450, document


@by_task
def test_the_answer_shown_is_right_and_other_answers_are_not(task: ModuleType) -> None:
    cases = task.held_out(140, 5)
    by_kind: dict[str, list[Case]] = {}
    for case in cases:
        assert case.correct(case.answer), case
        assert not case.correct("")
        assert not case.correct("I am sorry, but that is more than I know.")
        by_kind.setdefault(case.kind, []).append(case)
    assert len({case.prompt for case in cases}) == len(cases)
    for kind, of_kind in by_kind.items():
        of_kind = of_kind[:20]
        fitting = sum(
            case.correct(other.answer) for case in of_kind for other in of_kind if other is not case
        )
        # by chance: one in two for yes and no, one in four for letters, one in six for a number of words
        assert fitting < 0.6 * len(of_kind) * (len(of_kind) - 1), kind


@by_task
def test_kinds_come_in_turn_and_can_be_chosen(task: ModuleType) -> None:
    kinds = [case.kind for case in task.held_out(42, 1)]
    assert max(kinds.count(kind) for kind in kinds) - min(kinds.count(kind) for kind in kinds) <= 1
    if task is not recall:
        assert {case.kind for case in task.held_out(5, 1, kinds=(kinds[0],))} == {kinds[0]}


def test_more_questions_than_there_are_is_a_sentence_at_once() -> None:
    with pytest.raises(ValueError, match="fewer than 900 held-out questions: no more of the kind constraint"):
        constraints.held_out(900, 1)
    with pytest.raises(ValueError, match="no more of the kind one"):
        different(2, ["one"], lambda kind: Case("always this", bool, "", kind))


def test_about_as_much_is_held_out_as_was_asked_for() -> None:
    items = [f"sum {a} {b}" for a in range(10, 100) for b in range(10, 100)]
    for percent in (5, 12, 50):
        share = sum(is_held_out(item, percent) for item in items) / len(items)
        assert share == pytest.approx(percent / 100, abs=0.015)
    # what is held out at 5 % is held out at 12 % as well
    assert {i for i in items if is_held_out(i, 5)} < {i for i in items if is_held_out(i, 12)}


# The words


def test_every_thing_belongs_to_one_category_and_every_word_has_one_opposite() -> None:
    assert sum(map(len, CATEGORIES.values())) == len(CATEGORY_OF)
    assert set(ONE_OF) == set(CATEGORIES)
    assert all(OPPOSITE_OF[OPPOSITE_OF[word]] == word != OPPOSITE_OF[word] for word in OPPOSITE_OF)
    assert len(OPPOSITE_OF) == 64


def test_the_tasks_people_do_not_live_in_the_world() -> None:
    assert FIRST_NAMES.isdisjoint(NAMES)
    assert set(PRONOUNS) == set(NAMES)


@pytest.mark.parametrize(
    ("thing", "told"),
    [("cat", "a cat"), ("owl", "an owl"), ("milk", "milk"), ("red", "red"), ("Monday", "Monday")],
)
def test_articles(thing: str, told: str) -> None:
    assert named(thing) == told
