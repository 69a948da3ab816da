"""What quantizing cost in published measurements. Taught in chapter 5."""

from __future__ import annotations

from labkit import facts
from labkit.errors import LabError
from labkit.tables import Table

_MAIN = ("F16", "Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "Q3_K_M", "Q2_K")


def published_quality(model: str = "llama-3-8b", *, everything: bool = False) -> Table:
    """Size, perplexity, KL divergence and agreement of a model's quantizations, as published.

    `everything`: also the less common quantizations, and those made with an importance matrix. Raises
    LabError when there are no figures for that model.
    """
    rows = [row for row in facts.table("quantization_quality") if row["model"] == model]
    if not rows:
        known = sorted({row["model"] for row in facts.table("quantization_quality")})
        raise LabError(f"There are no published figures for {model!r:.40}.", f"Choose {' or '.join(known)}.")
    if not everything:
        rows = [row for row in rows if row["quantization"] in _MAIN and row["imatrix"] == "no"]
    has_sizes = all(row["size_gib"] for row in rows)
    columns = [
        "quantization",
        *(["importance matrix"] if everything else []),
        *(["GiB"] if has_sizes else []),
    ]
    shown = []
    for row in rows:
        first = [row["quantization"], *([row["imatrix"]] if everything else [])]
        shown.append([*first, *([row["size_gib"]] if has_sizes else []), *_figures(row)])
    return Table(
        f"{rows[0]['title']}: published measurements",
        [*columns, "perplexity", "perplexity added", "in percent", "KL divergence", "same first choice"],
        shown,
        ["± is one standard error. KL divergence from F16, in nats. An empty cell: not published."],
        folded_title="Sources and dates",
        folded=list(dict.fromkeys(f"{row['source']}. As of {row['read_on']}." for row in rows)),
        text_width=130,
    )


def _figures(row: dict[str, str]) -> list[str]:
    perplexity, added = float(row["perplexity"]), float(row["perplexity_added"])
    original = perplexity - added
    if row["quantization"] == "F16":
        # What its row adds is the price of the source's 16-bit record of the predictions, not of the model.
        return [f"{original:.4f}", "", "", "", ""]
    return [
        f"{perplexity:.4f}",
        f"{added:.3f} ± {float(row['perplexity_added_pm']):.3f}",
        f"{100 * added / original:.2f} %",
        f"{float(row['kl']):.4f}",
        f"{float(row['same_top_percent']):.1f} %" if row["same_top_percent"] else "",
    ]
