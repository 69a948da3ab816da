"""The pocket models' tokenizer: byte-level BPE, trained on their own texts with the `tokenizers` library.

Digits stand alone, and words are split as llama.cpp's pre-tokenizer "smollm" splits them, so that llama.cpp
and `tokenizers` give the same ids. Taught in chapter 17. Needs the `train` extra.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tokenizers import Tokenizer

#: the name under which llama.cpp knows this way of splitting
PRE_TOKENIZER = "smollm"
END_OF_TEXT, IM_START, IM_END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
FIM_PREFIX, FIM_SUFFIX, FIM_MIDDLE = "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"
#: in the order of their ids, from 0
SPECIAL_TOKENS = (END_OF_TEXT, IM_START, IM_END, FIM_PREFIX, FIM_SUFFIX, FIM_MIDDLE, "<|pad|>")
END_OF_TEXT_ID, IM_START_ID, IM_END_ID = 0, 1, 2
#: ChatML, as several published models have it, without a default system prompt
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)


def train_tokenizer(texts: Iterable[str], n_vocab: int) -> Tokenizer:
    """Learns `n_vocab` tokens from texts: the special ones, all 256 bytes, and merges."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=n_vocab,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def load_tokenizer(path: Path) -> Tokenizer:
    """The tokenizer that `make pocket` stored as JSON."""
    from tokenizers import Tokenizer

    return Tokenizer.from_file(str(path))
