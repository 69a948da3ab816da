"""Tokenizers: how each model at hand cuts a text into tokens. Taught in chapter 17.

A GGUF file carries its model's tokenizer in its header. Here llama.cpp reads that header, and no weights, so
that a file of any size answers in a fraction of a second. It does so in a process of its own: a damaged
vocabulary would otherwise take the kernel with it.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from labkit.errors import LabError
from labkit.models.catalogue import DEFAULT_MODEL, catalogue
from labkit.models.model_file import ModelFile

__all__ = ["ByteTokenizer", "CutsText", "FileTokenizer", "Tokenizers", "tokenizer", "tokenizers_here"]

POCKET = "pocket-base"
#: of the files that the learner has downloaded, how many are compared at most
_MOST_OTHERS = 6
#: A longer text is no text that someone wants to see cut.
_LONGEST_BYTES = 20_000_000
#: Two files whose tokenizers agree on this, in vocabulary and in every count, have the same tokenizer.
_PROBES = (
    "The quick brown fox jumps over 13 lazy dogs.\n\n    return n",
    "Größe, garçon, mañana, naïve",
    "Съешь ещё этих мягких булок. Ξεσκεπάζω την ψυχή.",
    "明日は晴れます。今天天气很好。",
    "यह एक वाक्य है। هذه جملة قصيرة.",
)


class CutsText(Protocol):
    """Whatever cuts text into tokens."""

    @property
    def name(self) -> str:
        """For tables and charts."""
        ...

    @property
    def vocab_size(self) -> int:
        """How many different tokens there are."""
        ...

    def counts(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text."""
        ...

    def pieces(self, text: str) -> list[bytes]:
        """The text's tokens, each as the bytes that it stands for."""
        ...


@dataclass(frozen=True)
class ByteTokenizer:
    """No tokenizer at all: each UTF-8 byte is a token. A byte-level tokenizer never needs more."""

    name: str = "plain bytes"
    vocab_size: int = 256

    def counts(self, texts: Sequence[str]) -> list[int]:
        """UTF-8 bytes of each text."""
        return [len(_utf8(text)) for text in texts]

    def pieces(self, text: str) -> list[bytes]:
        """One byte each."""
        return [bytes([byte]) for byte in _utf8(text)]


@dataclass(frozen=True)
class FileTokenizer:
    """The tokenizer in a GGUF file, used through llama.cpp.

    Attributes
    ----------
    name : of the model, for tables and charts.
    path : the file.
    vocab_size : how many different tokens it has, markers included.
    """

    name: str
    path: Path
    vocab_size: int

    def counts(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, no marker for the start added. LabError when llama.cpp refuses the file."""
        return _ask(self.path, texts)["counts"]

    def pieces(self, text: str) -> list[bytes]:
        """The text's tokens, each as its bytes. Some tokenizers put a space before the text: it is theirs."""
        return [bytes.fromhex(piece) for piece in _ask(self.path, [text], pieces=True)["pieces"][0]]


class Tokenizers(list["ByteTokenizer | FileTokenizer"]):
    """The tokenizers at hand. `notes` says what is missing."""

    def __init__(self, found: Iterable[ByteTokenizer | FileTokenizer], notes: Sequence[str] = ()) -> None:
        super().__init__(found)
        self.notes = list(notes)

    def _table(self) -> Any:
        from labkit.tables import Table

        rows = [[item.name, f"{item.vocab_size:,}", _where(item)] for item in self]
        return Table("Tokenizers on this machine", ["tokenizer", "vocabulary", "from"], rows, self.notes)

    def __repr__(self) -> str:
        return repr(self._table())

    def _repr_html_(self) -> str:
        return self._table()._repr_html_()


def _where(item: ByteTokenizer | FileTokenizer) -> str:
    return item.path.name if isinstance(item, FileTokenizer) else "nothing to learn: one token for each byte"


def tokenizer(source: ModelFile | str | Path = DEFAULT_MODEL) -> FileTokenizer:
    """The tokenizer of a model: a catalogue name, what `get_model` returned, or the path of a GGUF file.

    Raises LabError when there is no such file, or it has no tokenizer that llama.cpp can use.
    """
    from labkit.models.loading import as_model_file

    if isinstance(source, (str, Path)) and str(source).endswith(".gguf"):
        path = Path(source).expanduser()  # no need to hash it: only its header is read
        if not path.is_file():
            raise LabError(f"There is no file {path}.", "Check the path.")
        return _open(path.stem, path)
    file = as_model_file(source)
    return _open(_short_name(file), file.path)


def tokenizers_here(*, show_progress: bool = True) -> Tokenizers:
    """Plain bytes, the pocket models' tokenizer, SmolLM2's, and those of other files that you downloaded.

    SmolLM2 is fetched where it is missing and can be had. A tokenizer that several files share comes once.
    """
    from labkit.models.download import fetch

    found: list[ByteTokenizer | FileTokenizer] = [ByteTokenizer()]
    notes: list[str] = []
    for name in (POCKET, DEFAULT_MODEL):
        try:
            file = fetch(name, show_progress=show_progress)
            found.append(_open(_short_name(file), file.path))
        except LabError as error:
            notes.append(str(error).splitlines()[0])
    have = [_signature(item) for item in found]
    known = {item.path for item in found if isinstance(item, FileTokenizer)}
    for name, path in _downloaded():
        if path in known or len(found) >= 3 + _MOST_OTHERS:
            continue
        try:
            candidate = _open(name, path)
            signature = _signature(candidate)
        except LabError:  # a file without a tokenizer, such as the part of a model that reads pictures
            continue
        if signature not in have:
            found.append(candidate)
            have.append(signature)
    return Tokenizers(found, notes)


def _downloaded() -> Iterator[tuple[str, Path]]:
    """(name, path) of the GGUF files in the hub's cache and in labkit's, by name."""
    from labkit.models.hub import hub_cache
    from labkit.settings import cache_dir

    titles = {Path(entry.filename).name: entry.title for entry in catalogue()}
    found: dict[Path, str] = {}
    for folder, pattern in (
        (hub_cache(), "models--*/snapshots/*/**/*.gguf"),
        (cache_dir(), "models/*/*.gguf"),
    ):
        try:
            paths = sorted(folder.glob(pattern))
        except OSError:
            continue
        found.update({path: titles.get(path.name, path.stem) for path in paths if path.is_file()})
    yield from sorted(
        ((name, path) for path, name in found.items()), key=lambda item: (item[0], str(item[1]))
    )


def _signature(item: ByteTokenizer | FileTokenizer) -> tuple[int, ...]:
    return (item.vocab_size, *item.counts(_PROBES))


def _open(name: str, path: Path) -> FileTokenizer:
    return FileTokenizer(name, path, _ask(path, [])["vocab_size"])


def _short_name(file: ModelFile) -> str:
    """`'SmolLM2'`: all sizes of a family have the same tokenizer."""
    return file.entry.family if file.entry else file.name


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", errors="replace")


def _ask(path: Path, texts: Sequence[str], *, pieces: bool = False) -> dict[str, Any]:
    from labkit.models.llama_worker import ask_llama

    if sum(len(_utf8(text)) for text in texts) > _LONGEST_BYTES:
        raise LabError("This text is longer than 20 MB.", "Count the tokens of a part of it.")
    reply = ask_llama({"vocabulary": str(path), "texts": list(texts), "pieces": pieces})
    if "problem" in reply:
        raise LabError(
            f"The tokenizer in {path.name} can't be used: {reply['problem']}.", "Choose another file."
        )
    return reply


# ---------------------------------------------------------------- the worker's side


def cut(job: dict[str, Any]) -> dict[str, Any]:
    """The worker's side: `{"vocab_size", "counts"}`, with `"pieces"` where asked, or `{"problem"}`.

    `job` holds `vocabulary` (the file), `texts` and `pieces`. A piece is its bytes in hexadecimal digits.
    """
    from labkit.models import native

    lib, mark = native.llama(), native.log.mark()
    model_p = native.open_model(job["vocabulary"], vocabulary_only=True)
    if model_p is None:
        return {"problem": native.log.reason(mark) or "llama.cpp refuses the file"}
    vocab = lib.llama_model_get_vocab(model_p)
    try:
        if lib.llama_vocab_type(vocab) == lib.LLAMA_VOCAB_TYPE_NONE:
            return {"problem": "it holds none"}
        cuts = [_tokens(lib, vocab, text) for text in job["texts"]]
        reply = {"vocab_size": lib.llama_vocab_n_tokens(vocab), "counts": [len(tokens) for tokens in cuts]}
        if job["pieces"]:
            reply["pieces"] = [[_piece(lib, vocab, token).hex() for token in tokens] for tokens in cuts]
        return reply
    finally:
        lib.llama_model_free(model_p)


def _tokens(lib: Any, vocab: Any, text: str) -> list[int]:
    raw = _utf8(text)
    room = len(raw) + 16
    tokens = (lib.llama_token * room)()
    n = lib.llama_tokenize(vocab, raw, len(raw), tokens, room, False, False)
    if n < 0:  # more tokens than bytes: some tokenizers rewrite the text first
        tokens = (lib.llama_token * -n)()
        n = lib.llama_tokenize(vocab, raw, len(raw), tokens, -n, False, False)
    return list(tokens[: max(0, n)])


def _piece(lib: Any, vocab: Any, token: int) -> bytes:
    room = 64
    for _ in range(2):
        buffer = ctypes.create_string_buffer(room)
        n = lib.llama_token_to_piece(vocab, token, buffer, room, 0, True)
        if n >= 0:
            return buffer.raw[:n]
        room = -n
    return b""
