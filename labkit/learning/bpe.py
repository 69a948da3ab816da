"""Byte-pair encoding in plain Python: how a tokenizer's list of pieces is learned, merge by merge.

It gives the merges that the `tokenizers` library gives (`BpeTrainer` with a `ByteLevel` pre-tokenizer), ties
included. Taught in chapter 17.

Source of the method: R. Sennrich, B. Haddow, A. Birch, "Neural machine translation of rare words with subword
units", ACL 2016; over bytes: A. Radford et al., "Language models are unsupervised multitask learners", 2019.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from labkit.errors import LabError

Pair = tuple[int, int]

#: The 256 bytes in the order of their ids: first those that print as one character, then the others. It is
#: GPT-2's order, and it decides ties.
BYTES_IN_ORDER = (*range(33, 127), *range(161, 173), *range(174, 256), *range(33), *range(127, 161), 173)
_ID_OF_BYTE = {byte: number for number, byte in enumerate(BYTES_IN_ORDER)}
_LONGEST_BYTES = 2_000_000
_MOST_MERGES = 20_000


@dataclass(frozen=True)
class Merge:
    """One step of the training.

    Attributes
    ----------
    left, right : the two pieces that became one.
    times : how often they stood side by side, in the whole text.
    tokens : of the whole text, after this step.
    """

    left: bytes
    right: bytes
    times: int
    tokens: int

    @property
    def piece(self) -> bytes:
        """The new piece."""
        return self.left + self.right


@dataclass(frozen=True)
class BPE:
    """A tokenizer that was trained here.

    Attributes
    ----------
    merges : in the order in which they were learned.
    text_bytes : UTF-8 bytes of the text that it was trained on; with no merge, as many tokens.
    name : for tables and charts.
    """

    merges: tuple[Merge, ...]
    text_bytes: int
    name: str = "trained here"
    _cut: dict[tuple[bytes, int], list[bytes]] = field(default_factory=dict, repr=False, compare=False)

    @property
    def vocab_size(self) -> int:
        """256 bytes, and each piece that a merge made."""
        return 256 + len({merge.piece for merge in self.merges})

    @functools.cached_property
    def _rank(self) -> dict[tuple[bytes, bytes], int]:
        ranks: dict[tuple[bytes, bytes], int] = {}
        for number, merge in enumerate(self.merges):
            ranks.setdefault((merge.left, merge.right), number)
        return ranks

    def pieces(self, text: str, n_merges: int | None = None) -> list[bytes]:
        """`text` cut by the first `n_merges` merges (None: by all): words first, then merges as learned."""
        limit = len(self.merges) if n_merges is None else n_merges
        return [
            piece for word in words_of(_clean(text)) for piece in self._pieces_of_word(word.encode(), limit)
        ]

    def counts(self, texts: Sequence[str], n_merges: int | None = None) -> list[int]:
        """Tokens of each text."""
        return [len(self.pieces(text, n_merges)) for text in texts]

    def _pieces_of_word(self, word: bytes, limit: int) -> list[bytes]:
        if (word, limit) not in self._cut:
            self._cut[word, limit] = self._merge_word([bytes([byte]) for byte in word], limit)
        return self._cut[word, limit]

    def _merge_word(self, pieces: list[bytes], limit: int) -> list[bytes]:
        while len(pieces) > 1:
            pairs = zip(pieces, pieces[1:], strict=False)
            rank, pair = min((self._rank.get(pair, limit), pair) for pair in pairs)
            if rank >= limit:
                break
            pieces = merge_pair(pieces, pair)
        return pieces


def train_bpe(text: str, n_merges: int) -> BPE:
    """Learns `n_merges` merges from a text; fewer when no two pieces are left that stand side by side.

    Each step joins the pair of neighbours that occurs most often; of equals, the pair whose pieces are older.
    A pair never reaches over the end of a word (see `words_of`).

    Raises LabError for a text without bytes, one above 2 MB, or a number that is no number of merges.
    Taught in chapter 17.
    """
    _require_trainable(text, n_merges)
    word_counts = Counter(words_of(_clean(text)))
    words = [[_ID_OF_BYTE[byte] for byte in word.encode()] for word in word_counts]
    times = list(word_counts.values())
    pieces = [bytes([byte]) for byte in BYTES_IN_ORDER]
    ids = {piece: number for number, piece in enumerate(pieces)}
    pair_counts, words_with = _count_pairs(words, times)
    n_tokens = n_bytes = sum(len(word) * n for word, n in zip(words, times, strict=True))
    merges: list[Merge] = []
    while len(merges) < n_merges and pair_counts:
        pair, count = min(pair_counts.items(), key=lambda item: (-item[1], item[0]))
        left, right = pieces[pair[0]], pieces[pair[1]]
        new = ids.setdefault(left + right, len(pieces))
        if new == len(pieces):
            pieces.append(left + right)
        for index in words_with.pop(pair):
            before, after = words[index], merge_pair(words[index], pair, new)
            n_tokens -= (len(before) - len(after)) * times[index]
            _recount(pair_counts, words_with, index, before, after, times[index])
            words[index] = after
        merges.append(Merge(left, right, count, n_tokens))
    return BPE(tuple(merges), n_bytes)


def merge_pair(tokens: list, pair: tuple, new: object = None) -> list:
    """Each place where `pair` stands, from left to right, becomes one token: `new`, or the two joined."""
    joined = pair[0] + pair[1] if new is None else new
    merged, i = [], 0
    while i < len(tokens):
        if i + 1 < len(tokens) and (tokens[i], tokens[i + 1]) == pair:
            merged.append(joined)
            i += 2
        else:
            merged.append(tokens[i])
            i += 1
    return merged


def _count_pairs(words: list[list[int]], times: list[int]) -> tuple[Counter[Pair], dict[Pair, set[int]]]:
    """How often each pair occurs, and in which words."""
    counts: Counter[Pair] = Counter()
    words_with: dict[Pair, set[int]] = defaultdict(set)
    for index, (word, n) in enumerate(zip(words, times, strict=True)):
        for pair in zip(word, word[1:], strict=False):
            counts[pair] += n
            words_with[pair].add(index)
    return counts, words_with


def _recount(
    counts: Counter[Pair],
    words_with: dict[Pair, set[int]],
    index: int,
    before: list[int],
    after: list[int],
    times: int,
) -> None:
    """Takes the pairs of a word as it was out of the counts, and puts in those of the word as it is."""
    for pair in zip(before, before[1:], strict=False):
        counts[pair] -= times
        if not counts[pair]:
            del counts[pair]
    for pair in zip(after, after[1:], strict=False):
        counts[pair] += times
        words_with[pair].add(index)


def words_of(text: str) -> list[str]:
    """The text cut into words, as GPT-2 does: letters, digits, or other signs, with the space before them.

    Joined, they are the text again. No token reaches over such a cut.
    """
    return _splitter("".join(sorted(set(filter(_is_other_number, set(text)))))).findall(text)


@functools.lru_cache(maxsize=64)
def _splitter(other_numbers: str) -> re.Pattern[str]:
    r"""GPT-2's pattern. Python's `re` has no \p{L} and \p{N}: \w without \d and _ holds the letters, and also
    numbers that are not digits, such as ²; the text's own ones are named."""
    named = re.escape(other_numbers)
    return re.compile(
        r"'s|'t|'re|'ve|'m|'ll|'d"
        rf"| ?[^\W\d_{named}]+"
        rf"| ?[\d{named}]+"
        r"| ?(?:[^\s\w]|_)+"
        r"|\s+(?!\S)|\s+"
    )


def _clean(text: str) -> str:
    """Half a character, as some programs leave it behind, has no UTF-8 form: it becomes a question mark."""
    return text.encode("utf-8", errors="replace").decode("utf-8")


def _is_other_number(character: str) -> bool:
    return unicodedata.category(character) in ("Nl", "No")


def _require_trainable(text: str, n_merges: int) -> None:
    if not isinstance(text, str) or not text:
        raise LabError("There is no text to learn from.", "Give some sentences in quotes.")
    if len(text.encode("utf-8", errors="replace")) > _LONGEST_BYTES:
        raise LabError("This text is longer than 2 MB, too long for plain Python.", "Give a part of it.")
    if not isinstance(n_merges, int) or isinstance(n_merges, bool) or not 0 <= n_merges <= _MOST_MERGES:
        raise LabError(
            f"{n_merges!r} merges are not possible.", f"Give a whole number from 0 to {_MOST_MERGES:,}."
        )
