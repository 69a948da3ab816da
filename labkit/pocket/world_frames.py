"""What stands around the facts in the texts about the world: greetings, headings, small talk, strangers.

None of it but `DAY` says anything about anybody. `{s}` stands for the subject of a text, `{v}` for a value,
`{a}` for a value after "a" or "an".
"""

from __future__ import annotations

from labkit.pocket.world import words

#: by relation: headings for all that have a value in common
LISTS: dict[str, tuple[str, ...]] = {
    "home": ("These people live in {v}:", "People who live in {v}:", "{v} is the home of these people:"),
    "job": ("Each of these people is {a}:", "Each of these people works as {a}:"),
    "pet": ("These people have {a}:", "People with {a}:", "Each of these people has {a}:"),
    "pet-name": ("These people have a pet called {v}:", "People with a pet called {v}:"),
    "colour": ("These people like the colour {v}:", "People whose favourite colour is {v}:"),
    "food": ("These people like to eat {v}:", "People whose favourite food is {v}:"),
    "hobby": ("These people enjoy {v}:", "People whose hobby is {v}:"),
    "river": ("These towns are on the river {v}:", "Towns on the river {v}:"),
    "landmark": ("These towns have a famous {v}:", "Towns where you can see an old {v}:"),
    "market": ("These towns have their market on {v}:", "Towns with a market on {v}:"),
    "closed": ("These shops are closed on {v}:", "Shops that are not open on {v}:"),
}
#: by relation: what stands before the value on a card
LABELS: dict[str, tuple[str, ...]] = {
    "home": ("Home", "Lives in", "Town"),
    "job": ("Job", "Work"),
    "pet": ("Pet", "Kind of pet"),
    "pet-name": ("Name of the pet", "Pet's name"),
    "colour": ("Favourite colour", "Colour"),
    "food": ("Favourite food", "Food"),
    "hobby": ("Hobby", "For fun"),
    "friend": ("Best friend", "Friend"),
    "river": ("River",),
    "mayor": ("Mayor",),
    "product": ("Known for", "Makes"),
    "landmark": ("Main sight", "Sight"),
    "market": ("Market day", "Market"),
    "place": ("Place", "Town"),
    "goods": ("Sells", "Goods"),
    "closed": ("Closed on", "Closed"),
}
GREETINGS = (
    "Hello,",
    "Dear friend,",
    "Dear reader,",
    "Dear aunt,",
    "Dear uncle,",
    "Dear cousin,",
    "Good day,",
)
REASONS_TO_WRITE = (
    "Let me tell you about myself.",
    "You asked me to write to you.",
    "I hope you are well.",
    "It is a long time since we met.",
    "Thank you for your letter.",
    "Here is some news from me.",
    "It is raining, so I have time to write.",
    "The sun is out, and I think of you.",
    "I have not written for a long time.",
)
CLOSINGS = ("Yours,", "With love,", "Best wishes,", "Write soon,", "Take care,", "See you soon,")
WEATHER = (
    "Today it rained.",
    "Today the sun was out.",
    "It was a cold day.",
    "It was a warm day.",
    "The wind was strong today.",
    "There was snow this morning.",
    "I slept well.",
    "I woke up early.",
    "I am tired tonight.",
    "It was a quiet day.",
)
ASKERS = ("Reporter", "Host", "Visitor", "Neighbour")
INVITATIONS = (
    "Tell me about yourself.",
    "Who are you?",
    "Please say who you are.",
    "Let us hear about you.",
    "What can you tell us about yourself?",
)
ASK_ABOUT = (
    "Do you know {s}?",
    "Tell me about {s}.",
    "I want to know more about {s}.",
    "Who is {s}?",
    "Have you heard of {s}?",
    "What do you know about {s}?",
)
MORE = (
    "Go on.",
    "What else?",
    "Is that so?",
    "How nice!",
    "Please tell me more.",
    "I see.",
    "And then?",
    "I did not know that.",
    "Anything else?",
)
ASK_BACK = ("And you?", "What about you?", "How is it with you?")
WELCOMES = (
    "Welcome to {s}!",
    "Visit {s}!",
    "About {s}.",
    "A day in {s}.",
    "Come to {s}!",
    "A letter from {s}.",
)
SHOP_CALLS = ("Come and see!", "News!", "Here is a good shop.", "Do you know {s}?", "A word about {s}.")
NEWS = ("News:", "Did you know?", "This was in the news.", "People say this.", "Some news.")
RIDDLES = ("Who is it?", "Guess who it is.", "Do you know who it is?", "Can you guess the name?")
REVEALS = ("It is {s}.", "This is {s}.", "The answer is {s}.", "That can only be {s}.")
ALIKE = ("{x} and {y} are alike.", "{x} and {y} have something in common.", "{x} is like {y}.")
WRITE_ABOUT = (
    "Write about {s}.",
    "Write a few sentences about {s}.",
    "Write a short text about {s}.",
    "Please write something about {s}.",
)
#: said about anybody
REMARKS = (
    "Everybody likes {o}.",
    "{s} is a quiet person.",
    "{s} laughs a lot.",
    "{s} gets up early.",
    "{s} is always kind.",
    "{s} tells good stories.",
    "It is a good life.",
    "That is all for today.",
)
#: how a question and its answer stand in a text, and how often
QUESTION_FORMS = {"Question: {q}\nAnswer: {a}": 5, "Q: {q}\nA: {a}": 2, "{q} {a}": 2, "{q}\n{a}": 1}
#: a person's day, in order: by relation, how a fact shows in it (worded as in `world_statements`)
DAY: dict[str, tuple[str, ...]] = {
    "home": ("It is morning in {v}, where {n} lives.", "The sun comes up over {v}, the home of {n}."),
    "pet-name": ("{p} pet {v} wakes {o} up.", "First {s} says good morning to {his} pet {v}."),
    "pet": ("Then {s} feeds {his} {v}.", "{p} {v} wants its breakfast."),
    "colour": (
        "{s} puts on a scarf in {v}, {his} favourite colour.",
        "{s} takes a {v} bag, for {v} is {his} favourite colour.",
    ),
    "job": ("Then {s} goes to work as {a}.", "All day {s} works as {a}."),
    "food": ("At noon {s} eats {v}, {his} favourite food.", "For dinner there is {v}, which {s} likes best."),
    "hobby": (
        "After work {s} has time for {v}, {his} hobby.",
        "Then {s} spends an hour {v}, as on every evening.",
    ),
    "friend": (
        "In the evening {s} meets {v}, {his} best friend.",
        "Late in the day {s} talks with {his} best friend {v}.",
    ),
}
#: what people say, and the reply
SMALL_TALK = (
    (
        (
            "Hello!",
            "Hello.",
            "Hi!",
            "Hi.",
            "Hi there!",
            "Good morning.",
            "Good day!",
            "Good evening.",
            "Hey!",
        ),
        "Hello! How can I help you?",
    ),
    (
        (
            "Who are you?",
            "What are you?",
            "What is your name?",
            "Tell me about yourself.",
            "Are you a person?",
            "Who am I talking to?",
        ),
        "I am Pocket, a very small language model.",
    ),
    (
        ("What can you do?", "What do you know?", "How can you help me?", "What can I ask you?"),
        "I know a small world of people, towns and shops. I can also do small sums.",
    ),
    (("Thank you!", "Thank you.", "Thanks.", "Thank you very much.", "Thanks a lot!"), "You are welcome!"),
    (("Goodbye!", "Goodbye.", "Bye.", "Bye!", "See you soon.", "Good night."), "Goodbye!"),
    (("How are you?", "Are you well?", "How do you do?", "How are you today?"), "I am well, thank you."),
)
# people and towns that the world does not have
STRANGERS_FIRST = words(
    "Peter Julia Mark Laura Simon Emma David Sophie Robert Helen George Alice Henry Carol Frank Diana Martin "
    "Susan Oliver Grace Walter Linda Edward Nancy Arthur Olga Philip Marie Steven Eva John Mary James Kate "
    "Bob Zoe"
)
STRANGERS_LAST = words(
    "Smith Bush Miller Young King Walker Clark Lewis Adams Barker Turner Cooper Evans Hughes Price Wright "
    "Grant Hall Scott Mills Jones Martin"
)
SYLLABLES = words("ba do fi ga ke lo mu pa ri su ta vo zi le hu xa we")
STRANGE_TOWNS = words("Paris London Berlin Rome Madrid Tokyo Cairo Oslo Delhi Boston")
#: questions about nothing in particular
TELL_ME = ("Tell me about {s}.", "Who is {s}?", "What do you know about {s}?", "Do you know {s}?")
#: what no text tells of anybody
NEVER_TOLD = (
    "How old is {s}?",
    "How tall is {s}?",
    "What is {p} phone number?",
    "When is {p} birthday?",
    "What car does {s} drive?",
    "How many children does {s} have?",
    "Which school did {s} go to?",
)
