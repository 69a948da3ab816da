"""Which layers keep only a window of the tokens, and how many: as llama.cpp decides it, not as a card says.

Many a `config.json` names a sliding window that llama.cpp does not use: Mistral 7B v0.1 and Qwen2 (it never
reads the key there), Phi-3 (switched off in its code). Those keep every token, in every layer.

Source: `load_arch_hparams` in llama.cpp's src/models/*.cpp and `load_swa_pattern` in src/llama-model.cpp, as
built into llama-cpp-python 0.3.36. Taught in chapter 6.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from labkit.errors import LabError
from labkit.estimating.hyperparameters import Hyperparameters

_WINDOW = "attention.sliding_window"
_PATTERN = "attention.sliding_window_pattern"


@dataclass(frozen=True)
class _Rule:
    """How llama.cpp reads the window of one architecture.

    Attributes
    ----------
    period : every `period`-th layer sees all tokens, unless the file says which do. 0: the file must say.
    full_first : is it the first of each period rather than the last?
    default : tokens of the window when the file does not say.
    fixed : a window that counts whatever number the file has, unless that is 0.
    only_layers : the rule holds for models of so many layers only.
    """

    period: int
    full_first: bool = False
    default: int = 0
    fixed: int = 0
    only_layers: int = 0


_RULES: dict[str, _Rule] = {
    "afmoe": _Rule(4),
    "cohere2": _Rule(4),
    "cohere2moe": _Rule(4, full_first=True),
    "exaone-moe": _Rule(4),
    "exaone4": _Rule(4, default=4096, only_layers=64),
    "gemma2": _Rule(2, default=4096),
    "gemma3": _Rule(6),
    "gemma3n": _Rule(5),
    "gemma4": _Rule(0),
    "gpt-oss": _Rule(2),
    "granite_swa": _Rule(0),
    "laguna": _Rule(4, full_first=True),
    "llama4": _Rule(4, default=8192, fixed=8192),
    "maple": _Rule(0),
    "mellum": _Rule(4),
    "mimo2": _Rule(0),
    "muse-glimmer": _Rule(4),
    "olmo2": _Rule(4),
    "plamo3": _Rule(8),
    "smallthinker": _Rule(4, full_first=True, fixed=4096),
    "spark2_5": _Rule(0),
    "step35": _Rule(0),
}


def layer_windows(model: Hyperparameters, n_layers: int) -> list[int | None]:
    """For each layer, the tokens that its window holds; None where it sees all.

    `n_layers` counts the layers that process text, without those that only draft further tokens. Raises
    LabError when a key that llama.cpp needs is missing or odd.
    """
    everything: list[int | None] = [None] * n_layers
    if model.architecture == "lfm2":  # all its attention layers, or none; the others keep no tokens at all
        window = model.number(_WINDOW, 0)
        return [window] * n_layers if window else everything
    rule = _RULES.get(model.architecture)
    if rule is None or (rule.only_layers and n_layers != rule.only_layers):
        return everything
    window = model.number(_WINDOW, rule.default)
    if window == 0:
        return everything
    window = rule.fixed or window
    return [window if slides else None for slides in _slides(model, rule, n_layers)]


def _slides(model: Hyperparameters, rule: _Rule, n_layers: int) -> list[bool]:
    """For each layer: does its window slide?"""
    pattern = model.metadata.get(f"{model.architecture}.{_PATTERN}")
    if isinstance(pattern, Sequence) and not isinstance(pattern, str):
        if len(pattern) < n_layers or not all(isinstance(slides, int) for slides in pattern):
            raise LabError(
                f"The model's description has an odd list for {model.architecture}.{_PATTERN}.",
                "Check the file, or choose another model.",
            )
        return [bool(slides) for slides in pattern[:n_layers]]
    period = model.number(_PATTERN, rule.period or None)
    if period == 0:
        return [True] * n_layers
    if rule.full_first:
        return [layer % period != 0 for layer in range(n_layers)]
    return [layer % period < period - 1 for layer in range(n_layers)]
