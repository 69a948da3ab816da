"""What tokens buy: how much text fits into a context, and what reading it costs. Taught in chapter 17."""

from __future__ import annotations

from dataclasses import dataclass

from labkit import facts
from labkit.errors import LabError
from labkit.facts.records import Price
from labkit.learning.language_counts import BASE, MAIN, Counts, LanguageCounts, recorded_counts
from labkit.learning.sample_texts import sentences_in
from labkit.tables import Table

#: price (an id of prices.csv) → the recorded tokenizer that its model has, and a short name for the model
_PRICED = {
    "deepinfra-llama-3.3-70b": ("Llama 3", "Llama 3.3 70B"),
    "groq-gpt-oss-120b": ("GPT-4o and gpt-oss (o200k)", "gpt-oss-120b"),
}
_COPIES = 10_000
#: the languages of `text_budget`: the chapter has just shown all ten
_SHOWN = (BASE, "German", "Hindi", "Chinese")


def text_budget(counts: LanguageCounts, *, context: int = 8192) -> Table:
    """How often the same sentences fit into a context of `context` tokens, in four of the languages.

    Raises LabError for a context that is no number of tokens. Taught in chapter 17.
    """
    if not isinstance(context, int) or isinstance(context, bool) or context < 1:
        raise LabError(
            f"A context of {context!r} tokens is not possible.", "Give a whole number, such as 8192."
        )
    words = sum(len(sentence.split()) for sentence in sentences_in(BASE))
    rows = []
    for language in _SHOWN:
        tokens = counts.main.tokens[language]
        times = context / tokens
        rows.append([language, f"{tokens:,}", f"{times:.1f}", f"{float(f'{times * words:.2g}'):,.0f}"])
    notes = [f"In English the sentences have {words} words. The last column is {words} × times they fit."]
    columns = ["language", "tokens for the sentences", "times they fit", "room for, in English words"]
    return Table(f"A context of {context:,} tokens, cut by {MAIN}", columns, rows, notes)


def reading_price() -> Table:
    """What two hosted models ask for reading the same sentences, each by its own tokenizer.

    The counts are recorded, the prices dated. Taught in chapter 17.
    """
    prices = {row.id: row for row in facts.prices()}
    by_name = {counts.name: counts for counts in recorded_counts()}
    chosen = [_Hosted(name, prices[id], by_name[counts]) for id, (counts, name) in _PRICED.items()]
    rows = []
    for language in chosen[0].counts.tokens:
        cells = [[f"{one.counts.tokens[language]:,}", f"{one.usd(language):.3f}"] for one in chosen]
        rows.append([language, *(cell for pair in cells for cell in pair)])
    columns = ["language"]
    for one in chosen:
        columns += [f"{one.name}: tokens, one reading", f"{one.name}: US dollars, {_COPIES:,} readings"]
    words = _COPIES * sum(len(sentence.split()) for sentence in sentences_in(BASE))
    offers = [
        f"{one.price.model} at {one.price.provider}: {one.price.input_usd_per_million:g} US dollars for a "
        "million tokens."
        for one in chosen
    ]
    return Table(
        f"Reading the sentences {_COPIES:,} times ({words / 1e6:.2f} million words in English)",
        columns,
        rows,
        [_comparison(*chosen), *offers],
        folded_title="Sources and dates",
        folded=[f"{one.price.model}: {one.price.source}. As of {one.price.as_of}." for one in chosen],
    )


@dataclass(frozen=True)
class _Hosted:
    """A model that is paid by the token: a short name, its dated price, its recorded token counts."""

    name: str
    price: Price
    counts: Counts

    def usd(self, language: str) -> float:
        """What reading the sentences so often costs."""
        return _COPIES * self.counts.tokens[language] / 1e6 * self.price.input_usd_per_million


def _comparison(one: _Hosted, other: _Hosted) -> str:
    """The prices of a token, and what they come to for the same sentences."""
    low, high = sorted((one, other), key=lambda model: model.price.input_usd_per_million)
    by_token = high.price.input_usd_per_million / low.price.input_usd_per_million
    by_text = {language: high.usd(language) / low.usd(language) for language in low.counts.tokens}
    best = min(by_text, key=lambda language: by_text[language])
    said = (
        f"A token of {high.name} costs {by_token:.2f} times as much as one of {low.name}. The sentences cost "
        f"{by_text[BASE]:.2f} times as much in {BASE}, and {by_text[best]:.2f} times in {best}"
    )
    if by_text[best] < 1:
        return f"{said}: there the model with the higher price is the cheaper one."
    return f"{said}, where its tokenizer takes fewer tokens."
