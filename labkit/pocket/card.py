"""The model card, `datasets/pocket/README.md`: its prose is written by hand, its figures come from files.

    python -m labkit.pocket.card            fills the figures in
    python -m labkit.pocket.card --check    says what is out of date, and writes nothing

A block of figures stands between `<!-- figures: NAME -->` and `<!-- end of NAME -->`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from labkit.errors import LabError
from labkit.facts.files import table
from labkit.models.embedded import pocket_dir
from labkit.models.gguf import read_gguf_header
from labkit.pocket import inventory, openness, scores
from labkit.pocket.world import world
from labkit.units import format_count, format_seconds

INSTRUCT, BASE, CHOICE = "pocket-instruct", "pocket-base", "pocket-choice"
#: kind of case → what it asks for
ASKED = {
    "world-unasked": "a fact of the world about which training never asks, only tells",
    "world-reworded": "another fact, in words that training never uses for it",
    "sum-two-digits": "the sum of two numbers of two digits, a pair that training never adds",
    "chain-direct": "three to five numbers, the answer at once",
    "chain-steps": "the same, with written steps",
    "word-problem-direct": "a word problem of two steps, the answer at once",
    "word-problem-steps": "the same, with written steps",
    "recall-150": "a value that was told about 150 tokens earlier",
    "fim": "the missing middle of a tiny Python function (no chat)",
    "code-chat": "a tiny Python function, word for word",
    "choice-world": "a letter from A to D, about the world",
    "choice-general": "a letter from A to D, about kinds of things and numbers",
    "choice-world-steps": "one of four options and then its letter, about the world",
    "choice-general-steps": "one of four options and then its letter, about kinds of things and numbers",
    "constraint-capitals": "a sentence written in capitals",
    "constraint-exactly-n-words": "a sentence of exactly so many words",
    "constraint-list": "so many things of a kind",
    "constraint-begin": "a sentence that begins with a word",
    "constraint-end": "a sentence that ends with a word",
    "constraint-yes-or-no": "yes or no",
    "constraint-repeat": "a word, so many times",
}
_BLOCK = re.compile(r"(<!-- figures: (?P<name>[a-z-]+) -->\n).*?(<!-- end of (?P=name) -->)", re.DOTALL)


def training() -> dict[str, Any]:
    """What was recorded when the models were trained, by model. Raises LabError when there is no record."""
    path = pocket_dir() / "training.json"
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise LabError(f"{path} cannot be read ({error}).", "Train the models: `make pocket`.") from None


# ---------------------------------------------------------------- the blocks


def _markdown(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = ["| " + " | ".join(map(str, row)) + " |" for row in [columns, ["---"] * len(columns), *rows]]
    return "\n".join(lines)


def _files() -> str:
    rows = []
    for path in [*sorted(pocket_dir().glob("*.gguf")), pocket_dir() / "tokenizer.json"]:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        header = read_gguf_header(path) if path.suffix == ".gguf" else None
        parameters = f"{header.n_parameters:,}" if header else ""
        rows.append([f"`{path.name}`", parameters, f"{path.stat().st_size:,}", f"`{digest}`"])
    return _markdown(["file", "parameters", "bytes", "SHA-256"], rows)


def _shapes() -> str:
    records = training()
    keys = {
        "d_model": "width",
        "n_layers": "layers",
        "n_heads": "query heads",
        "n_kv_heads": "KV heads",
        "d_ff": "inner width (of an expert)",
        "n_experts": "experts",
        "n_experts_used": "experts used for a token",
        "n_vocab": "vocabulary",
        "context": "context, tokens",
    }
    rows = [
        [label, *(record["shape"][key] or "" for record in records.values())] for key, label in keys.items()
    ]
    return _markdown(["", *records], rows)


def _training() -> str:
    rows = [
        [
            name,
            record["starts_from"] or "random weights",
            record["data"]
            + (f", {len(record['leaves_out'])} facts left out" if record["leaves_out"] else ""),
            format_count(record["tokens"]),
            record["final_loss"],
            format_seconds(record["training_seconds"]),
            f"{record['tokens'] / record['training_seconds']:,.0f}",
            record["finished"],
        ]
        for name, record in training().items()
    ]
    columns = ["model", "starts from", "reads", "tokens", "last loss, nats", "time", "tokens/s", "finished"]
    machines = dict.fromkeys(
        f"{record['device']}, {record['threads']} threads, PyTorch {record['torch']}, products in "
        f"{'bfloat16' if record['bfloat16'] else 'float32'}, seed {record['seed']}"
        for record in training().values()
    )
    return f"{_markdown(columns, rows)}\n\nMade on: {'; '.join(machines)}."


def _data() -> str:
    known = world()
    parts = [
        f"The world has {len(known.people)} people, {len(known.towns)} towns and {len(known.shops)} shops. "
        f"{len(known.facts)} facts about them are told in the documents; about {len(known.unasked)} of these "
        "training never asks."
    ]
    for stream, reader in inventory.READERS.items():
        rows = [row for row in inventory.kinds() if row.stream == stream]
        texts, characters, tokens = (
            sum(getattr(row, key) for row in rows) for key in ("texts", "characters", "tokens")
        )
        parts.append(
            f"**{stream.capitalize()}**, as far as {reader} reads them: {texts:,} texts, "
            f"{characters / 1e6:.1f} million characters, {tokens / 1e6:.1f} million tokens."
        )
        cells = [[row.kind, f"{row.texts:,}", f"{row.tokens / tokens:.1%}"] for row in rows]
        parts.append(_markdown(["kind", "texts", "share of the tokens"], cells))
    return "\n\n".join(parts)


def _scores() -> str:
    found = {(record.model, record.template, record.kind): record for record in scores.read_records()}
    asked = {
        INSTRUCT: (INSTRUCT, INSTRUCT),
        CHOICE: (CHOICE, CHOICE),
        f"{BASE}, the same prompts": (BASE, INSTRUCT),
        f"{BASE}, as `Question: … Answer:`": (BASE, scores.DOCUMENT),
    }
    kinds = dict.fromkeys(kind for _, _, kind in found)
    rows = [
        [ASKED.get(kind, kind), *(_cell(found.get((*how, kind))) for how in asked.values())] for kind in kinds
    ]
    first = next(iter(found.values()))
    stamp = f"Measured on {first.date} with {first.engine}. In brackets: the 95 % interval (Wilson)."
    return f"{_markdown(['what is asked for', *asked], rows)}\n\n{stamp}"


def _cell(record: scores.Record | None) -> str:
    if record is None:
        return ""
    share = record.right / record.total
    return f"{share:.0%} of {record.total} ({record.low:.0%} to {record.high:.0%})"


def _energy() -> str:
    """Time × power: nothing on the machine counts energy."""
    records = training().values()
    names = {record["device"] for record in records}
    rows = [row for row in table("pocket/power") if names <= set(row["recorded_as"].split("; "))]
    if not rows:
        raise LabError(
            f"power.csv has no row for {' and '.join(names)}.",
            "Look its power up, and add it with the source.",
        )
    row, seconds = rows[0], sum(record["training_seconds"] for record in records)
    n = max(record["threads"] for record in records)
    low, high = (n * float(row["busy_watts"]) * factor for factor in (1, 2))
    energy = [seconds / 3600 * watts for watts in (low, high)]
    return "\n".join(
        [
            f"The models of this folder took {format_seconds(seconds)} of training, without the two that "
            f"pocket-with and pocket-without start from: **about {energy[0]:.0f} to {energy[1]:.0f} Wh**.",
            "The machine had no counter for energy, so this is time × power:",
            f"{n} virtual processors of an {row['device']} at {row['busy_watts']} W each when busy "
            f"({low:.1f} W), or twice that ({high:.1f} W) if each is a whole core.",
            row["note"],
            "Cooling comes on top, and so do the pilots that came before.",
            f"Source: {row['source']}, read {row['read_on']}.",
        ]
    )


def _openness() -> str:
    rows = [
        [
            part.component + ("" if part.mof_required else " (optional)"),
            "I" * part.mof_class,
            part.osaid,
            f"{part.where} ({part.licence})" if part.included else "**not here**",
            part.note,
        ]
        for part in openness.components()
    ]
    columns = ["component", "MOF class", "OSAID 1.0 element", "where (licence)", "note"]
    asked = [
        [r.standard, r.name, r.wording, "yes" if r.met else "**no**", r.how] for r in openness.requirements()
    ]
    sources = dict.fromkeys(f"{r.standard}: {r.source}; read {r.read_on}." for r in openness.requirements())
    return "\n\n".join(
        [
            f"**{openness.verdict()}** This is our own reading; neither is a certificate.",
            _markdown(["yardstick", "name", "it asks for", "met", "how"], asked),
            _markdown(columns, rows),
            "Sources. " + " ".join(sources),
        ]
    )


BLOCKS: dict[str, Callable[[], str]] = {
    "files": _files,
    "shapes": _shapes,
    "training": _training,
    "data": _data,
    "scores": _scores,
    "energy": _energy,
    "openness": _openness,
}


# ---------------------------------------------------------------- the card


def filled(text: str) -> str:
    """The card with its blocks filled in. Raises LabError when it lacks one, or a file that a block needs."""
    names = [match["name"] for match in _BLOCK.finditer(text)]
    if sorted(names) != sorted(BLOCKS):
        raise LabError(
            f"The card has the blocks {', '.join(names) or 'none'}, not each of {', '.join(BLOCKS)} once.",
            "Mend the comments in the card that say where the figures go.",
        )
    return _BLOCK.sub(lambda match: f"{match[1]}{BLOCKS[match['name']]()}\n{match[3]}", text)


def problems() -> list[str]:
    """What is out of date: the card, the scores, or the record of the training. Empty when all is well."""
    found = []
    path = pocket_dir() / "README.md"
    text = path.read_text(encoding="utf-8")
    if filled(text) != text:
        found.append("README.md is not what its files say: run `python -m labkit.pocket.card`.")
    for name, record in training().items():
        if _digest(name) != record["sha256"]:
            found.append(f"{name}.gguf is not the file that training.json records.")
    for name in dict.fromkeys(record.model for record in scores.read_records()):
        if any(r.sha256 != _digest(name) for r in scores.read_records() if r.model == name):
            found.append(f"scores.csv counts another {name}.gguf: run `python -m labkit.pocket.scores`.")
    if (pocket_dir() / "held-out.jsonl").read_text(encoding="utf-8") != inventory.held_out_lines():
        found.append("held-out.jsonl is out of date: run `python -m labkit.pocket.inventory`.")
    if (pocket_dir() / "sample.txt").read_text(encoding="utf-8") != inventory.sample():
        found.append("sample.txt is out of date: run `python -m labkit.pocket.inventory`.")
    return found


def _digest(name: str) -> str:
    path = pocket_dir() / f"{name}.gguf"
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def main() -> int:
    parser = argparse.ArgumentParser(description="Fill in the figures of the pocket models' card.")
    parser.add_argument("--check", action="store_true", help="compare only, write nothing")
    try:
        if not parser.parse_args().check:
            path = pocket_dir() / "README.md"
            path.write_text(filled(path.read_text(encoding="utf-8")), encoding="utf-8", newline="\n")
        found = problems()
    except LabError as error:
        found = [str(error)]
    print("\n".join(found) or "The model card agrees with its files.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
