"""What happens in the little stories, and in which words."""

from __future__ import annotations

WORDS = {
    "place": ("forest", "garden", "hill", "beach", "field", "lake", "cave", "old barn", "meadow", "pond"),
    "thing": (
        "key",
        "box",
        "coin",
        "ball",
        "shell",
        "ring",
        "letter",
        "basket",
        "flute",
        "cup",
        "spoon",
        "doll",
    ),
    "adj": ("small", "big", "old", "shiny", "heavy", "strange", "beautiful", "round", "golden", "pretty"),
    "feeling": ("happy", "glad", "proud", "very happy", "very glad", "calm", "full of joy"),
    "weather": ("sunny", "rainy", "windy", "cold", "warm", "quiet"),
    "time": (
        "One day",
        "One morning",
        "One evening",
        "Last summer",
        "Last winter",
        "A long time ago",
        "Yesterday",
    ),
    "fruit": ("nuts", "berries", "plums", "cherries", "grapes", "peas"),
    "made": ("hut", "raft", "swing", "bench", "wagon", "sled", "nest", "fence"),
    "skill": (
        "whistle",
        "juggle",
        "jump over the ditch",
        "row",
        "sing",
        "stand on one leg",
        "climb the wall",
    ),
    "plant": ("bean", "sunflower", "apple tree", "pumpkin", "rose"),
    "relative": ("mother", "father", "grandmother", "grandfather", "sister", "brother", "aunt", "uncle"),
}

# A plot is a row of moments, and a moment a choice of sentences: {n} who the story is about, {he} {his} {him}
# the pronouns, {animal} and {other} two animals, and the words above ({a_adj}: "an old").
_LOST = (
    (
        "{time}, {n} lost a {thing}.",
        "{n} had a {thing} and liked it very much. {time}, it was gone.",
        "{time}, {n} came home from the {place} and had no {thing} any more.",
    ),
    (
        "{He} looked under the bed and behind the door.",
        "{He} looked for it everywhere.",
        "{He} went back to the {place} and looked in the grass.",
        "{He} asked {his} {relative}, who had not seen it.",
    ),
    (
        'Then {he} met {a_animal}. "What are you looking for?" asked the {animal}.',
        "Then {a_animal} came by.",
        "{A_animal} saw that {n} was sad.",
    ),
    (
        '"I have seen your {thing}," said the {animal}. "It is near the {place}."',
        "The {animal} had good eyes and soon found the {thing}.",
        'The {animal} laughed. "Your {thing} is in your pocket!"',
    ),
    (
        "{n} took the {thing} and was {feeling}.",
        '"Thank you!" said {n}, and {he} was {feeling}.',
        "From then on, {n} took better care of the {thing}.",
    ),
)
_FOUND = (
    (
        "{time}, {n} went to the {place}.",
        "{n} lived near the {place}. {time}, {he} went for a walk.",
        "It was a {weather} day, and {n} walked to the {place}.",
    ),
    (
        "There {he} found {a_adj} {thing}.",
        "Under a bush lay {a_adj} {thing}.",
        "Something was lying in the grass: {a_adj} {thing}.",
    ),
    (
        '"Whose {thing} is this?" {he} asked.',
        "{He} did not know whose it was.",
        "{He} asked {a_other}, but the {other} did not know.",
    ),
    (
        'Then {a_animal} came and said, "That is my {thing}!"',
        "Not far away sat {a_animal} and cried, for it had lost a {thing}.",
        "At last {he} met {a_animal} that had lost a {thing}.",
    ),
    (
        "{n} gave it back, and they became friends.",
        "So {n} gave the {thing} back to the {animal}.",
        'The {animal} got its {thing} back and said, "Thank you, {n}."',
    ),
    (
        "{n} went home and was {feeling}.",
        "In the evening {n} told {his} {relative} about it.",
        "{n} was {feeling}.",
    ),
)
_STUCK = (
    (
        "{time}, {n} heard somebody call for help.",
        "{n} was on the way to the {place} when {he} heard a cry.",
        "{time}, near the {place}, {n} heard a small voice.",
    ),
    (
        "{A_animal} had fallen into a hole.",
        "{A_animal} was caught in a net.",
        "{A_animal} had its foot under a big stone.",
        "{A_animal} sat high up in a tree and could not come down.",
    ),
    (
        '"Do not be afraid," said {n}. "I will help you."',
        "{n} thought about it for a while. Then {he} had an idea.",
        "{n} could not do it alone, so {he} called {a_other}.",
    ),
    (
        "{He} fetched a rope and pulled.",
        "It was hard work, but in the end the {animal} was free.",
        "They pulled and pulled until the {animal} was free.",
    ),
    (
        'The {animal} said, "I will never forget this."',
        "After that, {n} and the {animal} were friends.",
        "The {animal} ran home, and {n} was {feeling}.",
    ),
)
_BUILT = (
    (
        "{n} wanted to build a {made}.",
        '"I will build a {made}," said {n}.',
        "{time}, {n} and {a_animal} began to build a {made}.",
    ),
    (
        "First {he} went to the {place} to get wood.",
        "{He} asked {his} {relative} for wood and nails.",
        "{He} worked all day.",
    ),
    (
        "But in the night there was a storm, and the {made} broke.",
        "But the {made} was too small.",
        "But one side of the {made} was too short, and it fell over.",
    ),
    (
        "{n} did not give up and began again.",
        '"We can do it together," said {a_other}.',
        "{He} sat down and thought. Then {he} tried it in another way.",
    ),
    (
        "The next day the {made} was ready, and {n} was {feeling}.",
        "This time the {made} was strong.",
        "Now everybody wanted to see the {made}.",
    ),
)
_SHARED = (
    (
        "{n} had a basket full of {fruit}.",
        "{time}, {n} picked {fruit} near the {place}.",
        "{n} carried {fruit} home from the {place}.",
    ),
    (
        "On the way {he} met {a_animal}.",
        "{A_animal} sat by the road.",
        "There came {a_animal}, thin and cold.",
    ),
    (
        '"I am so hungry," said the {animal}.',
        'The {animal} asked, "May I have some of your {fruit}?"',
        "The {animal} had eaten nothing all day.",
    ),
    (
        "{n} gave half of the {fruit} to the {animal}.",
        '"Take as many as you like," said {n}.',
        "They sat down and ate the {fruit} together.",
    ),
    (
        "Some days later {n} was lost in the {place}. The {animal} showed {him} the way home.",
        "The next morning {a_adj} {thing} lay at {his} door. It was from the {animal}.",
        "That evening {n} had fewer {fruit}, but one more friend.",
    ),
)
_LEARNED = (
    (
        "{n} wanted to learn how to {skill}.",
        "Everybody could {skill} but {n}.",
        "{time}, {n} saw {a_animal} {skill}, and {he} wanted to do it too.",
    ),
    (
        "The first time it went wrong.",
        "{He} tried it ten times, and ten times it went wrong.",
        "It was not easy at all.",
    ),
    (
        '"You must go slowly," said the {other}.',
        'The {other} laughed, but {his} {relative} said, "Try again."',
        "{He} tried it again every day.",
    ),
    (
        "One week later {n} could {skill}.",
        "Then, all at once, {n} could {skill}!",
        "In the end {n} could {skill} better than the {other}.",
    ),
    ("{n} was {feeling}.", "{His} {relative} was proud of {him}.", "Now {n} shows it to everybody."),
)
_PLANTED = (
    (
        "{n} got a seed from {his} {relative}.",
        "{time}, {n} found a seed near the {place}.",
        "{A_animal} gave {n} a seed.",
    ),
    (
        "{He} put it into the ground.",
        "{He} planted it behind the house.",
        "{He} dug a hole and put the seed in.",
    ),
    (
        "Every morning {he} gave it water.",
        "For many days nothing happened.",
        '"When will it grow?" {he} asked. "You must wait," said the {other}.',
    ),
    (
        "Then it rained, and the sun came out.",
        "One morning there was a small leaf.",
        "In spring something began to grow.",
    ),
    (
        "It became {a_plant}, and {n} was {feeling}.",
        "By summer it was a big {plant}.",
        "Now {n} has {a_plant}, and the {animal} likes to sit near it.",
    ),
)
_NIGHT = (
    (
        "One night {n} could not sleep.",
        "It was late, and {n} lay in bed.",
        "{n} slept in a tent near the {place}.",
    ),
    (
        "There was a noise outside.",
        "Something knocked at the door.",
        "{He} heard steps in the dark.",
    ),
    (
        "{n} was afraid and hid under the bed.",
        "{He} took a light and opened the door a little.",
        '"Who is there?" {he} called.',
    ),
    (
        "It was only {a_animal} that was looking for {fruit}.",
        "It was {a_animal}. It was cold and wanted to come in.",
        "It was {his} {relative}, who had lost the {thing}.",
    ),
    (
        "{n} laughed and went back to bed.",
        "Then {n} slept very well.",
        "After that, {n} was not afraid any more.",
    ),
)
_QUARREL = (
    (
        "{A_animal} and {a_other} found {a_adj} {thing}.",
        "{n} saw how {a_animal} and {a_other} pulled at a {thing}.",
        "Near the {place} lived {a_animal} and {a_other}. {time}, they found a {thing}.",
    ),
    (
        '"It is mine," said the {animal}. "No, it is mine," said the {other}.',
        "Both wanted to have it.",
        "They were so angry that they did not speak any more.",
    ),
    (
        "{n} came by and heard them.",
        'They asked {n}, "Who may keep it?"',
        "{n} sat down between them.",
    ),
    (
        '"Take turns," said {n}. "One day you, one day you."',
        '"You saw it first," said {n} to the {animal}, "but you can both use it."',
        "{n} showed them a game that needs two.",
    ),
    (
        "So they became friends again.",
        "They thought about it, and then both laughed.",
        "And {n} was {feeling}.",
    ),
)
PLOTS = (_LOST, _FOUND, _STUCK, _BUILT, _SHARED, _LEARNED, _PLANTED, _NIGHT, _QUARREL)
