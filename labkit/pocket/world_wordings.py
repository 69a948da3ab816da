"""How questions about the world are worded, and how each is answered.

In the wordings `{s}` stands for the subject and `{p}` for the subject's; in the answers, also `{v}` for the
value and `{a}` for the value after "a" or "an".
"""

from __future__ import annotations

from labkit.pocket.world import Fact, world

#: by relation: the questions that ask for its value
QUESTIONS: dict[str, tuple[str, ...]] = {
    "home": (
        "Where does {s} live?",
        "Which town does {s} live in?",
        "In which town does {s} live?",
        "What town is home to {s}?",
        "Where is {p} home?",
        "Where is {p} house?",
        "In which town is {p} house?",
        "Tell me where {s} lives.",
        "Do you know where {s} lives?",
        "Can you tell me where {s} lives?",
    ),
    "job": (
        "What is {p} job?",
        "What does {s} do for a living?",
        "What work does {s} do?",
        "What job does {s} have?",
        "Which job does {s} have?",
        "What does {s} work as?",
        "What is the job of {s}?",
        "Tell me what {p} job is.",
        "Do you know what {s} does for a living?",
        "Can you tell me what {s} works as?",
    ),
    "pet": (
        "Which pet does {s} have?",
        "What pet does {s} have?",
        "What kind of pet does {s} have?",
        "What animal does {s} keep?",
        "Which animal lives with {s}?",
        "What kind of animal is {p} pet?",
        "What is {p} pet?",
        "Tell me which pet {s} has.",
        "Do you know what pet {s} has?",
        "Can you tell me what pet {s} keeps?",
    ),
    "pet-name": (
        "What is the name of {p} pet?",
        "What is {p} pet called?",
        "What did {s} name the pet?",
        "What name did {s} give the pet?",
        "Which name does {p} pet have?",
        "What is the pet of {s} called?",
        "What does {s} call the pet?",
        "Tell me the name of {p} pet.",
        "Do you know the name of {p} pet?",
        "Can you tell me what {p} pet is called?",
    ),
    "colour": (
        "What is {p} favourite colour?",
        "Which colour does {s} like best?",
        "What colour does {s} like most?",
        "Which colour is {p} favourite?",
        "What colour does {s} love?",
        "What is the favourite colour of {s}?",
        "Which colour does {s} like?",
        "Tell me {p} favourite colour.",
        "Do you know {p} favourite colour?",
        "Can you tell me which colour {s} likes best?",
    ),
    "food": (
        "What is {p} favourite food?",
        "What does {s} like to eat?",
        "Which food does {s} like best?",
        "What food does {s} love?",
        "What does {s} like to eat most?",
        "What is the favourite food of {s}?",
        "Which food is {p} favourite?",
        "Tell me {p} favourite food.",
        "Do you know {p} favourite food?",
        "Can you tell me what {s} likes to eat?",
    ),
    "hobby": (
        "What is {p} hobby?",
        "What does {s} do for fun?",
        "Which hobby does {s} have?",
        "What does {s} like to do?",
        "What does {s} enjoy after work?",
        "What is the hobby of {s}?",
        "What does {s} do on free days?",
        "Tell me what {p} hobby is.",
        "Do you know {p} hobby?",
        "Can you tell me what {s} does for fun?",
    ),
    "friend": (
        "Who is {p} best friend?",
        "Who is the best friend of {s}?",
        "What is the name of {p} best friend?",
        "Which friend does {s} like best?",
        "What is {p} best friend called?",
        "Who does {s} call a best friend?",
        "Of all friends, who does {s} like best?",
        "Tell me who {p} best friend is.",
        "Do you know who {p} best friend is?",
        "Can you tell me the name of {p} best friend?",
    ),
    "river": (
        "Which river runs through {s}?",
        "Which river is {s} on?",
        "What river flows through {s}?",
        "What is the name of the river in {s}?",
        "What is the river in {s} called?",
        "Tell me which river runs through {s}.",
        "Do you know which river {s} is on?",
        "Can you tell me what river flows through {s}?",
    ),
    "mayor": (
        "Who is the mayor of {s}?",
        "What is the name of the mayor of {s}?",
        "Who is mayor in {s}?",
        "Who is {p} mayor?",
        "What is the mayor of {s} called?",
        "Tell me who the mayor of {s} is.",
        "Do you know who the mayor of {s} is?",
        "Can you tell me the name of {p} mayor?",
    ),
    "product": (
        "What is {s} known for?",
        "What is {s} famous for?",
        "What is made in {s}?",
        "What do people make in {s}?",
        "What do the workshops of {s} make?",
        "Tell me what {s} is known for.",
        "Do you know what is made in {s}?",
        "Can you tell me what {s} is famous for?",
    ),
    "landmark": (
        "What is the main sight of {s}?",
        "What is the best-known building in {s}?",
        "What do visitors see in {s}?",
        "What stands in the middle of {s}?",
        "What is there to see in {s}?",
        "Tell me the main sight of {s}.",
        "Do you know what visitors see in {s}?",
        "Can you tell me what the main sight of {s} is?",
    ),
    "market": (
        "On which day is the market in {s}?",
        "When is market day in {s}?",
        "Which day is market day in {s}?",
        "What day is the market in {s}?",
        "When is the market in {s}?",
        "Tell me when the market in {s} is.",
        "Do you know when market day in {s} is?",
        "Can you tell me on which day {s} has its market?",
    ),
    "place": (
        "Where is {s}?",
        "In which town is {s}?",
        "Which town is {s} in?",
        "Where can I find {s}?",
        "What town is {s} in?",
        "Tell me where {s} is.",
        "Do you know where {s} is?",
        "Can you tell me which town {s} is in?",
    ),
    "goods": (
        "What does {s} sell?",
        "What can I buy at {s}?",
        "What is sold at {s}?",
        "Which things does {s} sell?",
        "What can people buy at {s}?",
        "Tell me what {s} sells.",
        "Do you know what {s} sells?",
        "Can you tell me what {s} has to sell?",
    ),
    "closed": (
        "On which day is {s} closed?",
        "When is {s} closed?",
        "Which day is {s} closed?",
        "On what day is {s} not open?",
        "What day is {s} closed?",
        "Tell me when {s} is closed.",
        "Do you know when {s} is closed?",
        "Can you tell me on which day {s} is not open?",
    ),
}
#: by relation: the one sentence that answers all its questions
ANSWERS: dict[str, str] = {
    "home": "{s} lives in {v}.",
    "job": "{s} is {a}.",
    "pet": "{s} has {a}.",
    "pet-name": "{p} pet is called {v}.",
    "colour": "{p} favourite colour is {v}.",
    "food": "{p} favourite food is {v}.",
    "hobby": "{p} hobby is {v}.",
    "friend": "{p} best friend is {v}.",
    "river": "{s} is on the river {v}.",
    "mayor": "The mayor of {s} is {v}.",
    "product": "{s} is known for {v}.",
    "landmark": "The main sight of {s} is the {v}.",
    "market": "The market in {s} is on {v}.",
    "place": "{s} is in {v}.",
    "goods": "{s} sells {v}.",
    "closed": "{s} is closed on {v}.",
}
#: by relation: what one asks about a person who has just been spoken of
FOLLOW_UPS: dict[str, tuple[str, ...]] = {
    "home": ("And where does {he} live?", "Which town does {he} live in?"),
    "job": ("And what is {his} job?", "What does {he} work as?"),
    "pet": ("And what pet does {he} have?", "Does {he} have a pet?"),
    "pet-name": ("And what is {his} pet called?", "What is the name of {his} pet?"),
    "colour": ("And {his} favourite colour?", "Which colour does {he} like?"),
    "food": ("And what does {he} like to eat?", "What about {his} favourite food?"),
    "hobby": ("And what does {he} do for fun?", "What about {his} hobby?"),
    "friend": ("And who is {his} best friend?", "Who is {his} best friend?"),
}


def with_article(noun: str) -> str:
    """Return the noun after "a" or "an"."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def called(subject: str) -> str:
    """Return how a sentence calls a subject: a shop's name has an article."""
    return f"the {subject}" if subject in world().shops else subject


def capital(text: str) -> str:
    """Return the text with its first letter large."""
    return text[0].upper() + text[1:]


def filled(template: str, fact: Fact, name: str | None = None) -> str:
    """Fill in a question's or an answer's subject (`name` in its place, if given) and value."""
    s = name or called(fact.subject)
    return capital(template.format(s=s, p=f"{s}'s", v=fact.value, a=with_article(fact.value)))
