"""Writing text, token by token: the loop around the model."""

from __future__ import annotations

import codecs
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from labkit.errors import LabError
from labkit.models.chat_template import chat_prompt
from labkit.units import format_seconds

if TYPE_CHECKING:
    import numpy as np

    from labkit.models.loading import Model

StopReason = Literal["end", "max_tokens", "context"]
_STOP_TEXT = {
    "end": "the model ended its answer",
    "max_tokens": "max_tokens was reached",
    "context": "the context was full",
}


@dataclass(frozen=True)
class Generation:
    """An answer and how it went. It prints as the text.

    Attributes
    ----------
    text : what the model wrote.
    prompt_tokens, tokens : tokens read and written.
    seconds : from the call to the last token.
    time_to_first_token_s : from the call to the first token, in seconds.
    tokens_per_s : tokens written per second after the first; 0 when there were fewer than two.
    stop_reason : `"end"` (the model's own), `"max_tokens"` or `"context"`.
    prompt : exactly what the model read, with the chat template's markers.
    used_chat_template : False when the file has none, or `chat=False`.
    random_weights : True when the text is noise, from the embedded stand-in or a twin.
    notice : what a reader must know then, as sentences; else empty.
    """

    text: str
    prompt_tokens: int
    tokens: int
    seconds: float
    time_to_first_token_s: float
    tokens_per_s: float
    stop_reason: StopReason
    prompt: str
    used_chat_template: bool
    random_weights: bool
    notice: str = ""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        lines = [self.notice] if self.notice else []
        lines.append(self.text.strip())
        lines.append(
            f"[{self.tokens} tokens in {format_seconds(self.seconds)}, {self.tokens_per_s:.1f} tokens/s; "
            f"first token after {format_seconds(self.time_to_first_token_s)}; {_STOP_TEXT[self.stop_reason]}]"
        )
        return "\n".join(lines)


def generate(
    model: Model,
    prompt: str,
    *,
    max_tokens: int,
    temperature: float,
    seed: int,
    chat: bool,
    special: bool,
    on_text: Callable[[str], None] | None,
) -> Generation:
    """See `Model.generate`."""
    if max_tokens < 1:
        raise LabError(f"max_tokens={max_tokens} asks for no text.", "Give a whole number from 1 up.")
    if not temperature >= 0:
        raise LabError(f"A temperature of {temperature} is not possible.", "Give 0 or more; 0.7 is usual.")
    start = time.perf_counter()
    with_template = chat and model.header.has_chat_template
    full_prompt = chat_prompt(model, prompt) if with_template else prompt
    tokens = model.prompt_tokens(full_prompt, special=with_template or special)
    choose = _chooser(temperature, seed)
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    text: list[str] = []

    def say(piece: str) -> None:
        if piece:
            text.append(piece)
            if on_text:
                on_text(piece)

    logits = model.logits_after(tokens)
    first_at = 0.0
    written = 0
    stop: StopReason = "max_tokens"
    while True:
        token = choose(logits)
        first_at = first_at or time.perf_counter() - start
        if model.is_end(token):
            stop = "end"
            break
        written += 1
        say(decoder.decode(model.piece_bytes(token)))
        if written >= max_tokens:
            break
        if len(tokens) + written >= model.context:
            stop = "context"
            break
        model.decode([token])
        logits = model.logits()
    say(decoder.decode(b"", final=True))
    seconds = time.perf_counter() - start
    rate = (written - 1) / (seconds - first_at) if written > 1 else 0.0
    return Generation(
        "".join(text),
        len(tokens),
        written,
        seconds,
        first_at,
        rate,
        stop,
        full_prompt,
        with_template,
        model.file.random_weights,
        model.file.notice,
    )


def probabilities(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """Softmax: scores → shares that add up to 1, float64 of the same shape. Taught in chapter 12."""
    import numpy as np

    scaled = logits.astype(np.float64) / temperature
    shares = np.exp(scaled - scaled.max())
    return shares / shares.sum()


def _chooser(temperature: float, seed: int) -> Callable[[np.ndarray], int]:
    """How the next token is drawn."""
    import numpy as np

    if temperature == 0:
        return lambda logits: int(np.argmax(logits))
    random = np.random.default_rng(seed)
    return lambda logits: int(random.choice(len(logits), p=probabilities(logits, temperature)))
