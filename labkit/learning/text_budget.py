"""What tokens buy: how much text fits into a context, and what reading it costs. Taught in chapter 17."""

from __future__ import annotations

from labkit import facts
from labkit.errors import LabError
from labkit.facts.records import Price
from labkit.learning.language_counts import BASE, MAIN, LanguageCounts, recorded_counts
from labkit.learning.sample_texts import sentences_in
from labkit.tables import Table

#: price (an id of prices.csv) → the recorded tokenizer that its model has
_PRICED = {"deepinfra-llama-3.1-8b": "Llama 3", "groq-gpt-oss-20b": "GPT-4o and gpt-oss (o200k)"}
_COPIES = 10_000


def text_budget(counts: LanguageCounts, *, context: int = 8192) -> Table:
    """How often the same sentences fit into a context of `context` tokens, language by language.

    Raises LabError for a context that is no number of tokens. Taught in chapter 17.
    """
    if not isinstance(context, int) or isinstance(context, bool) or context < 1:
        raise LabError(
            f"A context of {context!r} tokens is not possible.", "Give a whole number, such as 8192."
        )
    words = sum(len(sentence.split()) for sentence in sentences_in(BASE))
    rows = []
    for language, tokens in counts.main.tokens.items():
        times = context / tokens
        rows.append([language, f"{tokens:,}", f"{times:.1f}", f"{times * words:,.0f}"])
    notes = [f"The last column says how much fits, as a number of English words. The sentences have {words}."]
    columns = ["language", "tokens for the sentences", "times they fit", "worth in English words"]
    return Table(f"A context of {context:,} tokens, cut by {MAIN}", columns, rows, notes)


def reading_price() -> Table:
    """What two hosted models ask for reading the same sentences, each by its own tokenizer.

    The counts are recorded, the prices dated. Taught in chapter 17.
    """
    prices = {row.id: row for row in facts.prices()}
    by_name = {counts.name: counts for counts in recorded_counts()}
    chosen = [(prices[id], by_name[name]) for id, name in _PRICED.items()]
    rows = []
    for language in chosen[0][1].tokens:
        cells = [[f"{c.tokens[language]:,}", _usd(price, c.tokens[language])] for price, c in chosen]
        rows.append([language, *(cell for pair in cells for cell in pair)])
    columns = ["language"]
    for price, _ in chosen:
        columns += [f"tokens: {price.model}", f"US dollars: {price.model}"]
    words = _COPIES * sum(len(sentence.split()) for sentence in sentences_in(BASE))
    notes = [
        f"{price.model} at {price.provider}: {price.input_usd_per_million} US dollars for a million tokens."
        for price, _ in chosen
    ]
    return Table(
        f"Reading the sentences {_COPIES:,} times ({words / 1e6:.2f} million words in English)",
        columns,
        rows,
        notes,
        folded_title="Sources and dates",
        folded=[f"{price.model}: {price.source}. As of {price.as_of}." for price, _ in chosen],
    )


def _usd(price: Price, tokens: int) -> str:
    return f"{_COPIES * tokens / 1e6 * price.input_usd_per_million:.3f}"
