"""`ch17-your-texts`: what the learner's own two texts take in tokens, in context and in money."""

from __future__ import annotations

from typing import Any

from labkit.errors import LabError
from labkit.learning.exercise import Exercise
from labkit.learning.exercises.number_answers import NumberAnswer, hints_for, read_numbers, slip
from labkit.learning.quantities import describe
from labkit.learning.token_record import TokenRecord

CONTEXT, COPIES, USD_PER_MILLION = 8_192, 50_000, 0.15
_PER_KB, _TIMES, _FITS, _PRICE = "tokens_per_1000_bytes", "times_as_many", "so_often_it_fits", "price_usd"
_FORM = (
    'The answer is a dictionary with "record" (the line that print(mine.record()) shows, in quotes), '
    f'"{_PER_KB}", "{_TIMES}", "{_FITS}" and "{_PRICE}" (numbers).'
)


def read(plain: Any) -> NumberAnswer:
    """The typed answer; a LabError says what its form should be, or what can't be true of the record."""
    got = read_numbers(plain, dict.fromkeys((_PER_KB, _TIMES, _FITS, _PRICE), ""), _FORM, also=("record",))
    text = plain["record"]
    if not isinstance(text, str):
        raise LabError(f"The record is {describe(text)}, not a line of text.", "Put quotes around the line.")
    record = TokenRecord.parse(text)
    if problems := record.problems():
        raise LabError(f"This record can't be used. {problems[0]}", "Count again and paste the new line.")
    fits = CONTEXT / record.second[1]
    expected = {
        _PER_KB: (1000 * record.first[1] / record.first[0],),
        _TIMES: (record.second[1] / record.first[1],),
        # How often it fits whole is as good an answer.
        _FITS: (fits, float(int(fits))) if fits >= 1 else (fits,),
        _PRICE: (_price(record.second[1]),),
    }
    return NumberAnswer(got, expected, record)


def _price(tokens: float) -> float:
    return COPIES * tokens / 1e6 * USD_PER_MILLION


_PER_KB_HINTS = hints_for(
    _PER_KB,
    slip(
        _PER_KB,
        "per-byte",
        "That is tokens per byte. Per 1,000 bytes it is 1,000 times as much.",
        lambda a: a.record.first[1] / a.record.first[0],
    ),
    slip(
        _PER_KB,
        "bytes-per-token",
        "That is upside down: tokens, divided by bytes, times 1,000.",
        lambda a: a.record.first[0] / a.record.first[1],
        lambda a: 1000 * a.record.first[0] / a.record.first[1],
    ),
    slip(
        _PER_KB,
        "second-text",
        "That is the second text. The question is about the first.",
        lambda a: 1000 * a.record.second[1] / a.record.second[0],
    ),
    slip(
        _PER_KB,
        "per-1024",
        "That is per 1,024 bytes. The question asks for 1,000.",
        lambda a: 1024 * a.record.first[1] / a.record.first[0],
    ),
    otherwise="Tokens of the first text, divided by its bytes, times 1,000.",
)
_TIMES_HINTS = hints_for(
    _TIMES,
    slip(
        _TIMES,
        "times-upside-down",
        "You divided the other way round: the second text comes first.",
        lambda a: a.record.first[1] / a.record.second[1],
    ),
    slip(
        _TIMES,
        "by-bytes",
        "You compared tokens per byte. Both texts say the same, so compare their tokens as they are.",
        lambda a: (a.record.second[1] / a.record.second[0]) / (a.record.first[1] / a.record.first[0]),
    ),
    slip(
        _TIMES,
        "bytes-compared",
        "Those are the bytes. Compare the tokens.",
        lambda a: a.record.second[0] / a.record.first[0],
    ),
    slip(_TIMES, "times-percent", "That is in percent. Twice as many is 2.", lambda a: 100 * _times(a)),
    otherwise="Tokens of the second text, divided by tokens of the first.",
)
_FITS_HINTS = hints_for(
    _FITS,
    slip(
        _FITS,
        "first-fits",
        "That is how often the first text fits. The question is about the second.",
        lambda a: CONTEXT / a.record.first[1],
        lambda a: float(CONTEXT // a.record.first[1]),
    ),
    slip(
        _FITS,
        "bytes-fit",
        "A context is counted in tokens, not in bytes.",
        lambda a: CONTEXT / a.record.second[0],
        lambda a: float(CONTEXT // a.record.second[0]),
    ),
    slip(
        _FITS,
        "fits-upside-down",
        "That is upside down: the context, divided by the tokens of one text.",
        lambda a: a.record.second[1] / CONTEXT,
    ),
    otherwise=f"{CONTEXT:,} tokens, divided by the tokens of the second text.",
)
_PRICE_HINTS = hints_for(
    _PRICE,
    slip(
        _PRICE,
        "price-of-first",
        "That is the price of the first text. The question is about the second.",
        lambda a: _price(a.record.first[1]),
    ),
    slip(
        _PRICE,
        "bytes-priced",
        "That is the price of as many tokens as the text has bytes.",
        lambda a: _price(a.record.second[0]),
    ),
    slip(
        _PRICE,
        "one-copy",
        f"That is one copy. It is read {COPIES:,} times.",
        lambda a: _price(a.record.second[1]) / COPIES,
    ),
    slip(
        _PRICE,
        "per-thousand",
        "A thousand times too much: the price is for a million tokens, not for a thousand.",
        lambda a: 1000 * _price(a.record.second[1]),
    ),
    slip(
        _PRICE,
        "in-cents",
        "That is in cents. The question asks for dollars.",
        lambda a: 100 * _price(a.record.second[1]),
    ),
    slip(
        _PRICE,
        "price-forgotten",
        "Those are millions of tokens. Times the price of a million, it is dollars.",
        lambda a: _price(a.record.second[1]) / USD_PER_MILLION,
    ),
    otherwise="Copies × tokens of the second text / 1,000,000 × the price of a million tokens.",
)


def _times(answer: NumberAnswer) -> float:
    return answer.record.second[1] / answer.record.first[1]


def _praise(answer: NumberAnswer) -> str:
    times = _times(answer)
    more = f"{times:.2f} times as many tokens" if times >= 1 else f"only {times:.2f} times as many tokens"
    return (
        f"Your second text takes {answer.record.tokenizer} {more}: so much more of the context, of the time "
        "and of the price. Another model's tokenizer would give another factor."
    )


YOUR_TEXTS = Exercise(
    name="ch17-your-texts",
    title="Your own text: tokens, context, price",
    prompt=(
        "Take your record, and the tokens in it. (It names their tokenizer.)\n\n"
        f"{_PER_KB}: how many tokens does the first text take per 1,000 bytes?\n\n"
        f"{_TIMES}: tokens of the second text, divided by tokens of the first.\n\n"
        f"{_FITS}: how many times does the second text fit into a context of {CONTEXT:,} tokens? (A decimal "
        "number: 12.7 says more than 12.)\n\n"
        f"{_PRICE}: what does it cost, in US dollars, to have the second text read {COPIES:,} times, at "
        f"{USD_PER_MILLION} dollars per million tokens?\n\nUse Python as a calculator. Give three "
        "significant digits."
    ),
    points=4,
    form=_FORM,
    blank={"record": "paste the line here", **dict.fromkeys((_PER_KB, _TIMES, _FITS, _PRICE))},
    read=read,
    judge=lambda answer: answer.all_right,
    partial=lambda answer: float(answer.right),
    known_mistakes=(*_PER_KB_HINTS, *_TIMES_HINTS, *_FITS_HINTS, *_PRICE_HINTS),
    praise=_praise,
)
