"""`ch03-mixtral`: how many of Mixtral 8x7B's parameters a token uses, and what memory all of them take."""

from __future__ import annotations

from typing import Any

from labkit.learning.exercise import Exercise
from labkit.learning.exercises.number_answers import NumberAnswer, hints_for, read_numbers, slip
from labkit.units import GIB

#: From Mixtral 8x7B's config.json. A test compares them with `datasets/architectures.csv`.
LAYERS, EXPERTS, USED, WIDTH, EXPERT_WIDTH = 32, 8, 2, 4096, 14336
#: Attention, embedding, output, routers and norms: what every token uses.
SHARED = 1_605_636_096
#: Of the file at Q4_K_M, tensors only.
BITS_PER_WEIGHT = 4.87

_EXPERT = 3 * WIDTH * EXPERT_WIDTH
TOTAL = SHARED + LAYERS * EXPERTS * _EXPERT
ACTIVE = SHARED + LAYERS * USED * _EXPERT
_B = 1e9

EXPECTED = {
    "total_billions": (TOTAL / _B,),
    "active_billions": (ACTIVE / _B,),
    # As a share of 1 it is the same number.
    "active_percent": (100 * ACTIVE / TOTAL, ACTIVE / TOTAL),
    "weights_gib": (TOTAL * BITS_PER_WEIGHT / 8 / GIB,),
}
_FORM = (
    'The answer is a dictionary with four numbers: "total_billions", "active_billions", "active_percent" and '
    '"weights_gib".'
)
_UNITS = {"total_billions": "", "active_billions": "", "active_percent": "", "weights_gib": "GiB"}


def read(plain: Any) -> NumberAnswer:
    """The typed answer. A count of parameters may be written out: 46.7e9 stands for 46.7 billions."""
    got = read_numbers(plain, _UNITS, _FORM)
    for key in ("total_billions", "active_billions"):
        got[key] = got[key] / _B if got[key] > 1e6 else got[key]
    return NumberAnswer(got, EXPECTED)


def _parameters(layers: int, experts: int, matrices: int = 3, shared: float = SHARED) -> float:
    """Billions, counted in some wrong way."""
    return (shared + layers * experts * matrices * WIDTH * EXPERT_WIDTH) / _B


_NO_SHARED = "You counted the experts alone. The parameters that every token uses come on top."
_LAYERS_44 = "Mixtral 8x7B has 32 layers, not 44. The exercise says so."
_MATRICES = "An expert has three matrices here, not two: gate, up and down."
_ONE_LAYER = "Your number holds the experts of one layer. There are 32 layers with experts of their own."


def _gib(parameters: float, bits: float = BITS_PER_WEIGHT) -> float:
    return parameters * bits / 8 / GIB


_MISTAKES = (
    *hints_for(
        "total_billions",
        slip(
            "total_billions",
            "eight-times-seven",
            "8 × 7 is not the total. The name is a label: only the experts exist eight times. Attention and "
            "embeddings exist once.",
            EXPERTS * 7.0,
        ),
        slip("total_billions", "total-experts-alone", _NO_SHARED, _parameters(LAYERS, EXPERTS, shared=0)),
        slip(
            "total_billions",
            "shared-eight-times",
            "You counted the shared parameters eight times. They exist once; only the experts are eight.",
            _parameters(LAYERS, EXPERTS, shared=8 * SHARED),
        ),
        slip("total_billions", "layers-44", _LAYERS_44, _parameters(44, EXPERTS)),
        slip("total_billions", "two-matrices", _MATRICES, _parameters(LAYERS, EXPERTS, 2)),
        slip("total_billions", "one-layer", _ONE_LAYER, _parameters(1, EXPERTS)),
        slip(
            "total_billions",
            "active-as-total",
            "That is what one token uses. In all there are eight experts per layer.",
            ACTIVE / _B,
        ),
        otherwise="The total is the shared parameters plus layers × experts × one expert.",
    ),
    *hints_for(
        "active_billions",
        slip(
            "active_billions",
            "two-times-seven",
            "2 × 7 counts the shared parameters twice. Add them once, then two experts for each layer.",
            2 * 7.0,
            2 * 7.24,
        ),
        slip(
            "active_billions",
            "quarter-of-all",
            "That is 2/8 of everything. Only the experts are 2 of 8: every token uses all the shared "
            "parameters.",
            TOTAL * USED / EXPERTS / _B,
        ),
        slip("active_billions", "active-experts-alone", _NO_SHARED, _parameters(LAYERS, USED, shared=0)),
        slip(
            "active_billions",
            "one-expert",
            "You counted one expert per layer. The router picks two.",
            _parameters(LAYERS, 1),
        ),
        slip("active_billions", "active-layers-44", _LAYERS_44, _parameters(44, USED)),
        slip("active_billions", "active-two-matrices", _MATRICES, _parameters(LAYERS, USED, 2)),
        slip(
            "active_billions",
            "active-one-layer",
            "The router chooses anew in each layer: two experts in each of 32.",
            _parameters(1, USED),
        ),
        otherwise="What a token uses is the shared parameters plus layers × 2 × one expert.",
    ),
    *hints_for(
        "active_percent",
        slip(
            "active_percent",
            "two-of-eight",
            "25 % is 2 of 8 experts. Attention and embeddings are used by every token, so the share of the "
            "whole model is higher. Divide your two counts.",
            25.0,
            0.25,
        ),
        slip("active_percent", "upside-down", "You divided the total by the active part.", TOTAL / ACTIVE),
        otherwise="It is the active parameters divided by all, times 100.",
    ),
    *hints_for(
        "weights_gib",
        slip(
            "weights_gib",
            "active-loaded",
            "That is the memory of the active parameters. The router may pick any expert for the next token, "
            "so all of them must be in memory.",
            _gib(ACTIVE),
        ),
        slip(
            "weights_gib",
            "gb-not-gib",
            "That number is in GB (1,000,000,000 bytes). A GiB is 1,073,741,824 bytes: 1024 × 1024 × 1024.",
            TOTAL * BITS_PER_WEIGHT / 8 / _B,
        ),
        slip(
            "weights_gib",
            "bits-not-bytes",
            "Eight times too high: the figure per weight is in bits, and a byte has 8.",
            8 * _gib(TOTAL),
        ),
        slip(
            "weights_gib",
            "sixteen-bits",
            "That is the size at 16 bits a weight. The exercise asks for another number of bits.",
            _gib(TOTAL, 16),
        ),
        otherwise="It is all parameters times the bits per weight, divided by 8, in GiB.",
    ),
)

MIXTRAL = Exercise(
    name="ch03-mixtral",
    title="Mixtral 8x7B: how much is active, and what must fit",
    prompt=(
        f"Mixtral 8x7B has {LAYERS} layers. Each layer has {EXPERTS} experts, and the router picks {USED} of "
        f"them for each token. One expert is three matrices of {WIDTH:,} × {EXPERT_WIDTH:,} parameters. "
        f"Everything else, {SHARED / _B:.3f} billion parameters, is used by every token.\n\n"
        "How many parameters has the model in all, and how many does one token use, in billions? What "
        f"share is that, in percent? And how many GiB of memory do the weights need at {BITS_PER_WEIGHT} "
        "bits per weight (the average of the common Q4_K_M file)?\n\nCount as for the trio above. "
        "GiB = parameters × bits / 8 / 1024³.\n\nGive three significant digits. Python "
        "will do the multiplying for you."
    ),
    points=6,
    form=_FORM,
    blank=dict.fromkeys(EXPECTED),
    read=read,
    judge=lambda answer: answer.all_right,
    partial=lambda answer: float(answer.right),
    known_mistakes=_MISTAKES,
    praise=lambda answer: (
        f"{TOTAL / _B:.2f} billion in all, {ACTIVE / _B:.2f} billion for a token: "
        f"{100 * ACTIVE / TOTAL:.1f} %, not 25 %. And {_gib(TOTAL):.1f} GiB must fit, although a token "
        f"needs only {_gib(ACTIVE):.1f} GiB of them."
    ),
)
