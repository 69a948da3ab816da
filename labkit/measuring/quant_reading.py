"""What chapter 4's measurement says, in sentences that follow the figures of the machine at hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labkit.measuring.results import format_number
from labkit.units import format_bytes

if TYPE_CHECKING:
    from labkit.measuring.paired import Ratio
    from labkit.measuring.quant_speed import QuantComparison

#: A model this many times larger than the cache comes from memory for every token.
_FAR_LARGER = 4
#: bytes saved over speed gained, beyond which the two are not called about the same
_ABOUT = 0.1
#: upper over lower end of an interval, from which a figure is called unsteady
_UNSTEADY = 1.5


def reading(result: QuantComparison) -> list[str]:
    """Generation, prompt processing, and what may have disturbed the figures."""
    return [*_generation(result), *_prompt(result), *_warnings(result)]


def is_unsteady(ratio: Ratio) -> bool:
    """Is the interval so wide that the median alone would say too much?"""
    return ratio.low is not None and ratio.high is not None and ratio.high > _UNSTEADY * ratio.low


def _unsteady(result: QuantComparison) -> bool:
    return is_unsteady(result.writes_faster) or is_unsteady(result.reads_faster)


def _generation(result: QuantComparison) -> list[str]:
    first, last, ratio = result.first.quant, result.last.quant, result.writes_faster
    if ratio.is_larger:
        return [
            f"Generation: with {last} the model wrote {ratio.times()} as many tokens per second as with "
            f"{first} {ratio.interval()}. Every token needs all the weights, so fewer bytes take less time. "
            f"{_gain_and_saving(ratio, result.smaller)}",
            "If reading the weights were all that takes time, the last column would be the same in each row.",
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


def _gain_and_saving(ratio: Ratio, saving: float) -> str:
    """Both as "times"; `ratio` has an interval."""
    low, high = ratio.low or 0.0, ratio.high or 0.0
    start = f"The weights are {format_number(saving)} times smaller"
    near, far = (1 - _ABOUT) * saving, (1 + _ABOUT) * saving
    if near <= low and high <= far:
        return f"{start}: about the same. So reading them is nearly all that takes time here."
    if low <= saving <= high:
        return f"{start}. That lies in the interval too: this run can't tell whether the gain is smaller."
    if near <= ratio.median <= far:
        return f"{start}: the gain comes near to it."
    if high < saving:
        return (
            f"{start}: the gain is less. Likely reasons: packed numbers must be unpacked, and there is other "
            "work for each token."
        )
    return f"{start}: the gain is more. So bytes are not all: likely its arithmetic is quicker here as well."


def _prompt(result: QuantComparison) -> list[str]:
    first, last, ratio = result.first, result.last, result.reads_faster
    why = (
        f"The {result.settings['prompt']} tokens of the prompt go through together: a weight is read once "
        f"and serves them all. {_what_takes_time(result)}"
    )
    start = f"{ratio.times()} the speed of {first.quant} {ratio.interval()}. {why}"
    if ratio.low is None:
        return [f"Prompt: {last.quant} had {start}"]
    if ratio.is_larger:
        on_cpu = (
            f" That {last.quant} is faster here too has a likely reason: on a processor, llama.cpp "
            "multiplies quantized weights as small whole numbers."
            if last.runs_on == "CPU"
            else ""
        )
        return [f"Prompt: here {last.quant} had {start}{on_cpu}"]
    if ratio.is_smaller:
        return [
            f"Prompt: here {last.quant} was slower: it had {start} Packed numbers must be unpacked first: a "
            "likely reason."
        ]
    return [f"Prompt: the two can't be told apart here. {last.quant} had {start}"]


def _what_takes_time(result: QuantComparison) -> str:
    """Of a prompt: mostly arithmetic, where reading the weights once explains less than half of its time."""
    prompt, first = result.settings["prompt"], result.first
    reads, writes = first.pp_tokens_per_s.median, first.tg_tokens_per_s.median
    if _unsteady(result) or reads > prompt * writes / 2:
        return "So arithmetic can set the pace."
    return (
        f"If only reading the weights took time, a prompt would go {prompt} times as fast as generation. "
        f"With {first.quant} it went {format_number(reads / writes)} times as fast ({format_number(reads)} "
        f"against {format_number(writes)} tokens/s): so arithmetic takes most of the time."
    )


def two_ways(result: QuantComparison) -> list[str]:
    """The figures above are medians of ratios; the table's medians, divided, may give others."""
    first, last = result.first, result.last
    writes = last.tg_tokens_per_s.median / first.tg_tokens_per_s.median
    reads = last.pp_tokens_per_s.median / first.pp_tokens_per_s.median
    shown = [format_number(value) for value in (writes, reads)]
    if shown == [format_number(ratio.median) for ratio in (result.writes_faster, result.reads_faster)]:
        return []
    return [
        "Two ways to divide: the figures in the sentences are medians of the ratios within each round. The "
        f"speeds in the table, divided, give {shown[0]} times for generation and {shown[1]} times for the "
        "prompt."
    ]


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
    found = []
    if _unsteady(result):
        found.append(
            "The figures are unsteady: the intervals are wide, probably since other programs were at work. "
            "Close them, and measure again."
        )
    cache = result.machine.last_level_cache_bytes or 0
    if result.last.runs_on == "CPU" and result.last.weights_bytes < _FAR_LARGER * cache:
        found.append(
            f"The smallest file ({format_bytes(result.last.weights_bytes)}) is less than {_FAR_LARGER} times "
            f"as large as this processor's cache ({format_bytes(cache)}). Part of it may stay in the cache, "
            "which makes it look faster than its size says."
        )
    return found
