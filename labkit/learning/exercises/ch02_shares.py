"""`ch02-where-they-live`: the share of a part in two published models, from their configs."""

from __future__ import annotations

import html
from typing import Any

from labkit.learning.exercise import Exercise
from labkit.learning.exercises.number_answers import NumberAnswer, hints_for, read_numbers, slip

#: The lines of the two configs; a test compares them with `datasets/architectures.csv`.
GEMMA = {
    "vocab_size": 262_144,
    "hidden_size": 640,
    "num_hidden_layers": 18,
    "num_attention_heads": 4,
    "num_key_value_heads": 1,
    "head_dim": 256,
    "intermediate_size": 2_048,
    "tie_word_embeddings": True,
    "parameters": 268_098_176,
}
LLAMA = {
    "vocab_size": 128_256,
    "hidden_size": 4_096,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "intermediate_size": 14_336,
    "tie_word_embeddings": False,
    "parameters": 8_030_261_248,
}

_FORM = (
    'The answer is a dictionary: {"gemma_embedding_percent": 12.3, "llama_feed_forward_percent": 12.3, '
    '"llama_attention_percent": 12.3}, with percentages of three digits.'
)
_KEYS = ("gemma_embedding_percent", "llama_feed_forward_percent", "llama_attention_percent")
_FRACTION = "That looks like the share itself. In percent it is 100 times as much."
_ONE_LAYER = "That is one layer. Llama has 32."
_NO_WIDTH = "The width, hidden_size, is missing as a factor."

_EMBEDDING = 100 * GEMMA["vocab_size"] * GEMMA["hidden_size"] / GEMMA["parameters"]
#: in percent of Llama: one matrix of the feed-forward part, and one head of Q, K, V or O, in all layers
_FFN_MATRIX = 100 * LLAMA["hidden_size"] * LLAMA["intermediate_size"] * 32 / LLAMA["parameters"]
_HEAD = 100 * LLAMA["hidden_size"] * LLAMA["head_dim"] * 32 / LLAMA["parameters"]
_FFN, _ATTENTION = 3 * _FFN_MATRIX, (2 * 32 + 2 * 8) * _HEAD


def read(plain: Any) -> NumberAnswer:
    """The typed answer; a LabError says what its form should be."""
    got = read_numbers(plain, dict.fromkeys(_KEYS, "%"), _FORM)
    right = (_EMBEDDING, _FFN, _ATTENTION)
    return NumberAnswer(got, {key: (value,) for key, value in zip(_KEYS, right, strict=True)})


_GEMMA_HINTS = hints_for(
    _KEYS[0],
    slip(_KEYS[0], "fraction", _FRACTION, _EMBEDDING / 100),
    slip(
        _KEYS[0],
        "counted-twice",
        "You count the embedding twice. Gemma's embeddings are tied: one matrix serves both ends, and it is "
        "stored once.",
        2 * _EMBEDDING,
        200 * _EMBEDDING / (100 + _EMBEDDING),
    ),
    otherwise="Gemma: the embedding has vocab_size rows of hidden_size numbers. Divide by the total, times "
    "100.",
)
_FFN_HINTS = hints_for(
    _KEYS[1],
    slip(_KEYS[1], "ffn-fraction", _FRACTION, _FFN / 100),
    slip(
        _KEYS[1],
        "ffn-matrices",
        "The feed-forward part of a layer has three matrices: gate, up and down.",
        *(n * _FFN_MATRIX for n in (1, 2, 4)),
    ),
    slip(_KEYS[1], "ffn-one-layer", _ONE_LAYER, _FFN / 32),
    slip(_KEYS[1], "ffn-width-forgotten", _NO_WIDTH, _FFN / LLAMA["hidden_size"]),
    otherwise="Llama, feed-forward: three matrices of hidden_size × intermediate_size in each of the layers.",
)
_ATTENTION_HINTS = hints_for(
    _KEYS[2],
    slip(_KEYS[2], "attention-fraction", _FRACTION, _ATTENTION / 100),
    slip(
        _KEYS[2],
        "kv-as-query",
        "You give K and V 32 heads, as many as Q. Llama 3.1 8B has 8 KV heads.",
        4 * 32 * _HEAD,
    ),
    slip(_KEYS[2], "o-forgotten", "The fourth matrix, O, is missing.", (32 + 2 * 8) * _HEAD),
    slip(_KEYS[2], "attention-one-layer", _ONE_LAYER, _ATTENTION / 32),
    slip(
        _KEYS[2],
        "attention-width-forgotten",
        _NO_WIDTH,
        *(heads * _HEAD / LLAMA["hidden_size"] for heads in (2 * 32 + 2 * 8, 4 * 32)),
    ),
    otherwise="Llama, attention: Q and O have 32 heads, K and V have 8. Each head has hidden_size × head_dim "
    "parameters, in each of the layers.",
)


def _rows() -> list[tuple[str, str, str]]:
    def shown(value: int | bool) -> str:
        return str(value).lower() if isinstance(value, bool) else f"{value:,}"

    names = {key: "parameters in all" if key == "parameters" else key for key in GEMMA}
    return [(name, shown(GEMMA[key]), shown(LLAMA[key])) for key, name in names.items()]


def _details_html() -> str:
    cells = "".join(
        f'<tr><th scope="row" style="text-align:left;font-weight:normal">{html.escape(name)}</th>'
        f"<td>{gemma}</td><td>{llama}</td></tr>"
        for name, gemma, llama in _rows()
    )
    head = '<th></th><th scope="col">Gemma 3 270M</th><th scope="col">Llama 3.1 8B</th>'
    return f"<table><thead><tr>{head}</tr></thead><tbody>{cells}</tbody></table>"


def _details_text() -> str:
    head = ("", "Gemma 3 270M", "Llama 3.1 8B")
    return "\n".join(f"{name:<20} {gemma:>14} {llama:>14}" for name, gemma, llama in [head, *_rows()])


WHERE_THEY_LIVE = Exercise(
    name="ch02-where-they-live",
    title="Where the parameters live",
    prompt=(
        "Here are the lines of two configs. What share of Gemma's parameters is its embedding? What share of "
        "Llama's parameters is in the feed-forward parts of all layers together? And what share is in the "
        "attention (Q, K, V and O) of all layers?\n\nUse Python as a calculator. Give percentages with three "
        "digits, such as 12.3. (Gemma has more norms than Llama. They do not matter here.)"
    ),
    points=3,
    form=_FORM,
    blank=dict.fromkeys(_KEYS),
    read=read,
    judge=lambda answer: answer.all_right,
    partial=lambda answer: float(answer.right),
    known_mistakes=(*_GEMMA_HINTS, *_FFN_HINTS, *_ATTENTION_HINTS),
    praise=lambda answer: (
        "In this small model the vocabulary weighs most, in the large one the feed-forward parts. Attention "
        "is a sixth of Llama; with 32 KV heads it would hold 1.6 times as many parameters."
    ),
    details_html=_details_html(),
    details_text=_details_text(),
)
