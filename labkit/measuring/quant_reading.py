"""What chapter 4's measurement says, in sentences that follow the figures of the machine at hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labkit.measuring.results import format_number
from labkit.units import format_bytes

if TYPE_CHECKING:
    from labkit.measuring.quant_speed import QuantComparison

#: A model this many times larger than the cache comes from memory for every token.
_FAR_LARGER = 4
#: bytes saved over speed gained, beyond which the two are not called about the same
_ABOUT = 0.1


def reading(result: QuantComparison) -> list[str]:
    """Generation, prompt processing, and what may have disturbed them."""
    return [*_generation(result), *_prompt(result), *_warnings(result)]


def _generation(result: QuantComparison) -> list[str]:
    first, last, ratio = result.first.quant, result.last.quant, result.writes_faster
    if ratio.is_larger:
        return [
            f"Generation: with {last} the model wrote {ratio.times()} as many tokens per second as with "
            f"{first} {ratio.interval()}. Every token needs all the weights, so fewer bytes take less time.",
            _gain_and_saving(result),
        ]
    if ratio.is_smaller:
        return [
            f"Generation: here {last} was slower than {first}: {ratio.times()} its speed "
            f"{ratio.interval()}. The rule says the opposite. It holds where reading the weights takes most "
            f"of the time; on this machine something else does. {_why_not(result)}"
        ]
    return [
        f"Generation: the speeds of {last} and {first} can't be told apart here: {ratio.times()} "
        f"{ratio.interval()}. {_why_not(result)}"
    ]


def _gain_and_saving(result: QuantComparison) -> str:
    gain, saving = result.writes_faster.median, result.smaller
    times = f"{format_number(saving)} times smaller, and it was {format_number(gain)} times as fast"
    start = f"Its weights are {times}"
    if gain < (1 - _ABOUT) * saving:
        return f"{start}: less than the saving, since unpacking the numbers and other work take time too."
    if gain > (1 + _ABOUT) * saving:
        return (
            f"{start}: more than the saving. So bytes are not all: its arithmetic was quicker here as well."
        )
    return f"{start}: about the same. Reading the weights is nearly all that takes time here."


def _prompt(result: QuantComparison) -> list[str]:
    first, last, ratio = result.first.quant, result.last.quant, result.reads_faster
    why = (
        f"The {result.settings['prompt']} tokens of the prompt go through together: a weight is read once "
        "and serves them all. So arithmetic sets the pace, not memory."
    )
    if ratio.low is None:
        return [f"Prompt: {last} had {ratio.times()} the speed of {first} {ratio.interval()}. {why}"]
    if ratio.is_larger:
        on_cpu = (
            " On a processor, llama.cpp multiplies quantized weights as small whole numbers, and that was "
            "quicker here than multiplying F16."
            if result.last.runs_on == "CPU"
            else ""
        )
        return [
            f"Prompt: here {last} had {ratio.times()} the speed of {first} {ratio.interval()}. {why}{on_cpu} "
            "On other machines it can go the other way."
        ]
    if ratio.is_smaller:
        return [
            f"Prompt: here {last} was slower than {first}: {ratio.times()} its speed {ratio.interval()}. "
            f"{why} And packed numbers must be unpacked first. On other machines it can go the other way."
        ]
    return [f"Prompt: no difference was measured, {ratio.times()} {ratio.interval()}. {why}"]


def _why_not(result: QuantComparison) -> str:
    if result.first.runs_on != "CPU":
        return (
            "A model this small keeps a graphics card waiting for its next command, whatever its size. A "
            "model of some billions of parameters would show the difference."
        )
    if result.settings["quick"]:
        return "This was a quick run, with too few rounds. Measure without LABKIT_QUICK."
    return "Close other programs and notebooks, then measure again."


def _warnings(result: QuantComparison) -> list[str]:
    cache = result.machine.last_level_cache_bytes or 0
    if result.last.runs_on == "CPU" and result.last.weights_bytes < _FAR_LARGER * cache:
        return [
            f"The smallest file ({format_bytes(result.last.weights_bytes)}) is less than {_FAR_LARGER} times "
            f"as large as this processor's cache ({format_bytes(cache)}). Part of it may stay in the cache, "
            "which makes it look faster than its size says."
        ]
    return []
