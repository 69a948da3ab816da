"""`ch06-mistral`: the KV cache of Mistral 7B at 8,192 tokens, and what fits around it."""

from __future__ import annotations

from typing import Any

from labkit.learning.exercise import Exercise
from labkit.learning.exercises.number_answers import NumberAnswer, hints_for, read_numbers, slip
from labkit.units import GIB

#: From Mistral 7B's config.json. A test compares them with `datasets/architectures.csv`.
LAYERS, HEADS, KV_HEADS, HEAD_SIZE = 32, 32, 8, 128
CONTEXT, CONVERSATIONS, BYTES = 8192, 4, 2
#: Tensors of the file at Q4_K_M, in GiB.
WEIGHTS_GIB = 4.07

PER_TOKEN = 2 * LAYERS * KV_HEADS * HEAD_SIZE * BYTES
CACHE_GIB = PER_TOKEN * CONTEXT / GIB

EXPECTED = {
    "bytes_per_token": (float(PER_TOKEN),),
    "cache_gib": (CACHE_GIB,),
    "total_gib": (WEIGHTS_GIB + CACHE_GIB,),
    "total_gib_for_4": (WEIGHTS_GIB + CONVERSATIONS * CACHE_GIB,),
}
_UNITS = {"bytes_per_token": "bytes", "cache_gib": "GiB", "total_gib": "GiB", "total_gib_for_4": "GiB"}
_FORM = (
    'The answer is a dictionary with four numbers: "bytes_per_token" in bytes; "cache_gib", "total_gib" and '
    '"total_gib_for_4" in GiB.'
)


def read(plain: Any) -> NumberAnswer:
    """The typed answer; sizes may carry a unit, such as "128 KiB"."""
    return NumberAnswer(read_numbers(plain, _UNITS, _FORM), EXPECTED)


_GB = GIB / 1e9
_QUERY_HEADS = (
    "Four times too high: you counted the query heads. Only keys and values are cached, and the model has "
    "8 heads of those."
)
_TWOS = (
    "The formula has two twos: a token leaves a key and a value, and each number takes 2 bytes. One of "
    "them (or both) is missing."
)
_UNIT = "That number is in GB (1,000,000,000 bytes). A GiB is 1,073,741,824 bytes."

_MISTAKES = (
    *hints_for(
        "bytes_per_token",
        slip("bytes_per_token", "query-heads", _QUERY_HEADS, PER_TOKEN * HEADS / KV_HEADS),
        slip("bytes_per_token", "no-factor-2", _TWOS, PER_TOKEN / 2),
        slip(
            "bytes_per_token",
            "no-layers",
            "That is one layer. Each of the 32 layers keeps keys and values of its own.",
            PER_TOKEN / LAYERS,
        ),
        slip(
            "bytes_per_token",
            "bits-not-bytes",
            "Eight times too high: f16 takes 16 bits, which are 2 bytes.",
            PER_TOKEN * 8,
        ),
        slip("bytes_per_token", "no-twos", _TWOS, PER_TOKEN / 4),
        slip(
            "bytes_per_token",
            "no-head-size",
            "The head size is missing: each head's key is a list of 128 numbers.",
            PER_TOKEN / HEAD_SIZE,
        ),
        slip(
            "bytes_per_token",
            "one-head",
            "That is one head. Each layer has 8 KV heads.",
            PER_TOKEN / KV_HEADS,
        ),
        slip(
            "bytes_per_token",
            "in-kib",
            "The number is right in KiB. The exercise asks for bytes: times 1024.",
            PER_TOKEN / 1024,
        ),
        otherwise="Multiply: 2 × layers × KV heads × head size × bytes per number.",
    ),
    *hints_for(
        "cache_gib",
        slip("cache_gib", "cache-gb", _UNIT, CACHE_GIB * _GB),
        slip(
            "cache_gib",
            "cache-four-times",
            "Four times too high. This number is for one conversation, with 8 KV heads and not 32 query "
            "heads.",
            CACHE_GIB * CONVERSATIONS,
        ),
        slip("cache_gib", "cache-mib", "That is in MiB. A GiB is 1024 MiB.", CACHE_GIB * 1024),
        otherwise="It is the bytes per token times 8,192 tokens, divided by 1024 three times.",
    ),
    *hints_for(
        "total_gib",
        slip("total_gib", "total-gb", _UNIT, (WEIGHTS_GIB + CACHE_GIB) * _GB),
        slip(
            "total_gib",
            "cache-alone",
            "That is the cache alone. The weights must be in memory too.",
            CACHE_GIB,
        ),
        slip(
            "total_gib",
            "weights-alone",
            "Those are the weights alone. Add the cache.",
            WEIGHTS_GIB,
        ),
        otherwise=f"It is the weights ({WEIGHTS_GIB} GiB) plus the cache.",
    ),
    *hints_for(
        "total_gib_for_4",
        slip(
            "total_gib_for_4",
            "weights-four-times",
            "You multiplied the weights too. They are loaded once, and all conversations use them; only "
            "the cache is needed four times.",
            CONVERSATIONS * (WEIGHTS_GIB + CACHE_GIB),
            CONVERSATIONS * WEIGHTS_GIB + CACHE_GIB,
        ),
        slip(
            "total_gib_for_4",
            "four-caches-alone",
            "Those are the four caches. The weights are needed too, once.",
            CONVERSATIONS * CACHE_GIB,
        ),
        slip(
            "total_gib_for_4",
            "one-cache",
            "That is one conversation. Each of the four has a cache of its own.",
            WEIGHTS_GIB + CACHE_GIB,
        ),
        slip("total_gib_for_4", "four-gb", _UNIT, (WEIGHTS_GIB + CONVERSATIONS * CACHE_GIB) * _GB),
        otherwise="It is the weights once, plus four caches.",
    ),
)

MISTRAL = Exercise(
    name="ch06-mistral",
    title="Mistral 7B with 8,192 tokens",
    prompt=(
        f"Mistral 7B has {LAYERS} layers, {HEADS} query heads, {KV_HEADS} KV heads and a head size of "
        f"{HEAD_SIZE}. Its weights take {WEIGHTS_GIB} GiB as Q4_K_M. The cache is stored as f16: {BYTES} "
        f"bytes a number.\n\n"
        f"bytes_per_token: what does the cache grow by with each token?\n\n"
        f"cache_gib: how large is it at {CONTEXT:,} tokens?\n\n"
        "total_gib: the weights and this cache together.\n\n"
        f"total_gib_for_4: the same when {CONVERSATIONS} conversations of {CONTEXT:,} tokens each run at "
        "once.\n\nLeave out the compute buffer, which comes on top. Three significant digits are enough."
    ),
    points=6,
    form=_FORM,
    blank=dict.fromkeys(EXPECTED),
    read=read,
    judge=lambda answer: answer.all_right,
    partial=lambda answer: float(answer.right),
    known_mistakes=_MISTAKES,
    praise=lambda answer: (
        f"{PER_TOKEN:,} bytes, or 128 KiB, for each token. At {CONTEXT:,} tokens the cache of one "
        f"conversation is {CACHE_GIB:g} GiB; four of them take as much as the weights."
    ),
)
