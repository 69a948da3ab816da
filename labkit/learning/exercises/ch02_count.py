"""`ch02-count-parameters`: a function that counts the parameters of a dense model from its config.json.

The function is called on the small model's config and on configs drawn afresh at each check. The reference
can be told to make mistakes; the smallest set of them that gives the learner's numbers is what is said.
"""

from __future__ import annotations

import functools
import math
import random
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from labkit.errors import LabError
from labkit.learning.exercise import Exercise, KnownMistake
from labkit.learning.exercises.function_mistakes import fewest_mistakes, known_mistakes
from labkit.learning.function_answer import Call, Case
from labkit.learning.quantities import describe

Config = dict[str, Any]

#: SmolLM2-135M, as in its config.json (chapter 2 shows it): 134,515,008 parameters.
SMOLLM2 = {
    "model_type": "llama",
    "vocab_size": 49152,
    "hidden_size": 576,
    "num_hidden_layers": 30,
    "num_attention_heads": 9,
    "num_key_value_heads": 3,
    "head_dim": 64,
    "intermediate_size": 1536,
    "tie_word_embeddings": True,
}

#: name of a mistake → the hint that repairs it, without giving the formula away
MISTAKES = {
    "embedding-forgotten": "The embedding is missing: one row of the model's width for each token of the "
    "vocabulary.",
    "output-when-tied": "You count an output matrix although the embeddings are tied. Look at "
    "tie_word_embeddings: when it is true, the embedding serves twice and is stored once.",
    "output-forgotten": "The output matrix is missing where the embeddings are not tied. Such a model has a "
    "second matrix of the embedding's size.",
    "kv-as-query": "You give K and V as many heads as Q. They have num_key_value_heads, often fewer.",
    "head-size-assumed": "You compute the head size as width / heads. When the config has a head_dim, that "
    "one counts, and it can be another number.",
    "q-as-wide-as-the-model": "You give Q and O the width of the model (hidden_size) on both sides. With a "
    "stated head_dim, Q has query heads × head size columns, and O as many rows.",
    "width-forgotten": "A matrix of the attention has as many rows as the model is wide. Your attention does "
    "not contain that factor.",
    "output-projection-forgotten": "The attention has four matrices. The fourth, often called O, leads from "
    "the heads back to the model's width.",
    "biases-forgotten": "In a qwen2 model Q, K and V have biases: one number more for each of their outputs.",
    "biases-everywhere": "You count biases in models that have none. Only model_type qwen2 has them here.",
    "bias-of-q-as-wide": "The bias of Q has one number for each column of Q: query heads × head size, not "
    "the width of the model.",
    "bias-of-kv-as-query": "The biases of K and V have one number for each of their columns: KV heads × head "
    "size, often fewer than Q has.",
    "bias-of-o": "In a qwen2 model Q, K and V have biases. The fourth matrix of the attention has none.",
    "ffn-two-matrices": "You count two matrices in the feed-forward part. A gated one has three: gate, up, "
    "down.",
    "ffn-four-matrices": "You count four matrices in the feed-forward part. A gated one has three: gate, up, "
    "down.",
    "norms-forgotten": "The norms are missing: two in each layer, and one more after the last layer.",
    "last-norm-forgotten": "One norm is missing: the one after the last layer.",
    "one-norm-per-layer": "Each layer has two norms: one before the attention, one before the feed-forward "
    "part.",
    "one-layer": "Your number holds one layer. The model has num_hidden_layers of them, all of one shape.",
}
#: Two of the same row cannot both be made.
_EXCLUSIVE = (
    ("output-when-tied", "output-forgotten", "embedding-forgotten"),
    ("biases-forgotten", "biases-everywhere", "bias-of-o"),
    ("biases-forgotten", "bias-of-q-as-wide"),
    ("biases-forgotten", "bias-of-kv-as-query"),
    ("kv-as-query", "bias-of-kv-as-query"),
    ("head-size-assumed", "q-as-wide-as-the-model"),
    ("head-size-assumed", "bias-of-q-as-wide"),
    ("ffn-two-matrices", "ffn-four-matrices"),
    ("norms-forgotten", "last-norm-forgotten"),
    ("norms-forgotten", "one-norm-per-layer"),
)
_MOST_MISTAKES = 5


def count(config: Config, mistakes: Iterable[str] = ()) -> int:
    """Parameters of a dense model of the types llama, mistral and qwen2; with `mistakes`, a wrong number.

    Source: the model classes of those names in huggingface/transformers. Taught in chapter 2.
    """
    made = frozenset(mistakes)
    width, layers = config["hidden_size"], config["num_hidden_layers"]
    layer = _attention(config, made) + _ffn(config, made) + _norms_of_a_layer(width, made)
    last_norm = 0 if made & {"norms-forgotten", "last-norm-forgotten"} else width
    outside = _matrices_of_the_vocabulary(config, made) * config["vocab_size"] * width
    return (1 if "one-layer" in made else layers) * layer + last_norm + outside


def _attention(config: Config, made: frozenset[str]) -> int:
    width, heads = config["hidden_size"], config["num_attention_heads"]
    kv_heads = heads if "kv-as-query" in made else config["num_key_value_heads"]
    head_size = width // heads
    if "head-size-assumed" not in made:
        head_size = config.get("head_dim", head_size)
    query, kv = heads * head_size, kv_heads * head_size
    rows = 1 if "width-forgotten" in made else width
    columns = width if "q-as-wide-as-the-model" in made else query
    matrices = rows * (columns + 2 * kv) + (0 if "output-projection-forgotten" in made else columns * rows)
    has_biases = config["model_type"] == "qwen2" or "biases-everywhere" in made
    if not has_biases or "biases-forgotten" in made:
        return matrices
    return matrices + _biases(width, query, kv, made)


def _biases(width: int, query: int, kv: int, made: frozenset[str]) -> int:
    of_q = width if "bias-of-q-as-wide" in made else query
    of_k = query if "bias-of-kv-as-query" in made else kv
    return of_q + 2 * of_k + (width if "bias-of-o" in made else 0)


def _ffn(config: Config, made: frozenset[str]) -> int:
    matrices = 2 if "ffn-two-matrices" in made else 4 if "ffn-four-matrices" in made else 3
    return matrices * config["hidden_size"] * config["intermediate_size"]


def _norms_of_a_layer(width: int, made: frozenset[str]) -> int:
    if "norms-forgotten" in made:
        return 0
    return width if "one-norm-per-layer" in made else 2 * width


def _matrices_of_the_vocabulary(config: Config, made: frozenset[str]) -> int:
    tied = config["tie_word_embeddings"]
    embedding = 0 if "embedding-forgotten" in made else 1
    if tied:
        return embedding + ("output-when-tied" in made)
    return embedding + ("output-forgotten" not in made)


# ---------------------------------------------------------------- the cases


def draw_cases(rng: random.Random) -> list[Case]:
    """The small model, and one config of each kind, drawn afresh."""
    kinds = [
        {"model_type": "llama", "tie_word_embeddings": False},
        {"model_type": "llama", "tie_word_embeddings": True},
        {"model_type": "qwen2", "tie_word_embeddings": True},
        {"model_type": "qwen2", "tie_word_embeddings": False},
        {"model_type": "mistral", "tie_word_embeddings": False, "head_dim": True},
        {"model_type": "qwen2", "tie_word_embeddings": True, "head_dim": True},
        {"model_type": "mistral", "tie_word_embeddings": False, "all_heads": True},
    ]
    configs = [_draw(rng, **kind) for kind in kinds]
    named = [Case("SmolLM2-135M", (SMOLLM2,))]
    return named + [Case(_title(config), (config,)) for config in configs]


def _draw(
    rng: random.Random,
    model_type: str,
    tie_word_embeddings: bool,
    head_dim: bool = False,
    all_heads: bool = False,
) -> Config:
    kv_heads = rng.randint(2, 8)
    heads = kv_heads * (1 if all_heads else rng.randint(2, 7))
    head_size = 8 * rng.randint(3, 16)
    config = {
        "model_type": model_type,
        "vocab_size": rng.randint(2_000, 150_000),
        "hidden_size": heads * head_size,
        "num_hidden_layers": rng.randint(3, 80),
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "intermediate_size": 8 * rng.randint(40, 2_000),
        "tie_word_embeddings": tie_word_embeddings,
    }
    if head_dim:
        config["head_dim"] = head_size + 8 * rng.choice((-2, -1, 1, 2, 4))
    return config


def _title(config: Config) -> str:
    tied = "tied" if config["tie_word_embeddings"] else "not tied"
    own = f", head_dim {config['head_dim']}" if "head_dim" in config else ""
    return (
        f"a {config['model_type']} model with {config['num_hidden_layers']} layers, width "
        f"{config['hidden_size']:,}, {config['num_attention_heads']} heads, {config['num_key_value_heads']} "
        f"KV heads{own}, embeddings {tied},"
    )


# ---------------------------------------------------------------- the judge: pure, calls in, sentences out


@dataclass(frozen=True)
class Counted:
    """A read answer: what the function gave for each config."""

    calls: tuple[Call, ...]

    @property
    def gaps(self) -> list[tuple[Case, float]]:
        """The cases that went wrong, and how much too high each number is."""
        found = [(call.case, call.value - count(*call.case.arguments)) for call in self.calls]
        return [(case, gap) for case, gap in found if gap]

    @functools.cached_property
    def mistakes(self) -> tuple[str, ...]:
        """The fewest mistakes that together give exactly these numbers; empty when there are none such."""
        return fewest_mistakes(MISTAKES, self._gives, most=_MOST_MISTAKES, exclusive=_EXCLUSIVE)

    def _gives(self, made: tuple[str, ...]) -> bool:
        return all(count(*call.case.arguments, made) == call.value for call in self.calls)


def read(calls: tuple[Call, ...]) -> Counted:
    """The typed answer; a LabError when one of the values is no number."""
    for call in calls:
        if type(call.value) not in (int, float) or not math.isfinite(call.value):
            raise LabError(
                f"On {call.case.title} your function returned {describe(call.value)}, not a number.",
                "Return the total: return total",
            )
    return Counted(calls)


def is_right(answer: Counted) -> bool:
    """Does each call give the exact number? 12.0 is 12."""
    return not answer.gaps


def _where(answer: Counted) -> str:
    """The first case that went wrong, and by how much."""
    case, gap = answer.gaps[0]
    share = abs(gap) / count(*case.arguments)
    if share < 0.001:
        size = "a little too"
    elif share < 1:
        size = f"{share * 100:.3g} % too"
    else:
        size = "far too"
    return f"Wrong on {case.title.rstrip(',')}: your number is {size} {'high' if gap > 0 else 'low'}."


def _elsewhere(answer: Counted) -> str:
    """Which part is off: what is wrong inside a layer is wrong once for each layer."""
    gaps = [(gap, case.arguments[0]) for case, gap in answer.gaps]
    if all(gap % config["num_hidden_layers"] == 0 for gap, config in gaps):
        look = f"The difference is the same in each layer. {_in_a_layer([config for _, config in gaps])}"
    elif all(gap % config["hidden_size"] == 0 for gap, config in gaps):
        look = "Look at what stands outside the layers: the embedding, the last norm, the output matrix."
    else:
        look = "Compare your lines with the walk-through above: embedding, attention, feed-forward, norms."
    return f"{_where(answer)} {look}"


def _in_a_layer(wrong: list[Config]) -> str:
    """What the configs that went wrong have in common, and the others have not."""
    if all("head_dim" in config for config in wrong):
        return "It is wrong where head_dim is stated: Q has query heads × head size columns."
    if all(config["model_type"] == "qwen2" for config in wrong):
        return "It is wrong for qwen2: its biases are (query heads + 2 × KV heads) × head size in each layer."
    return "Compare one layer with the walk-through above."


def _praise(answer: Counted) -> str:
    return (
        f"Exact on {len(answer.calls)} models: SmolLM2-135M, and {len(answer.calls) - 1} that were drawn for "
        "this check and that nobody has seen before."
    )


def _stub(config):  # what stands in the answer cell
    ...


COUNT_PARAMETERS = Exercise(
    name="ch02-count-parameters",
    title="Count the parameters of any dense model",
    prompt=(
        "Write a function that takes the config of a dense model and returns its number of parameters, "
        "exactly. It is called on SmolLM2-135M and on seven configs that are drawn afresh for each check."
        "\n\nEach config has the keys of the table at the top of the chapter. head_dim is there in some "
        "of them only. model_type is llama, mistral or qwen2."
    ),
    points=6,
    form="The answer is a function: def count_parameters(config), and at its end return with a whole number.",
    blank=_stub,
    read=read,
    judge=is_right,
    cases=draw_cases,
    known_mistakes=(*known_mistakes(MISTAKES, _where), KnownMistake("elsewhere", _elsewhere)),
    praise=_praise,
)
