"""The experts that a router picked, as a picture. Taught in chapter 3."""

from __future__ import annotations

from labkit.learning.figure import COLOURS, Figure, figure_html, plain_style
from labkit.measuring.routing import Routing

_TOKENS = 64


def routing_chart(routing: Routing) -> Figure:
    """A dot where a token used an expert: tokens from left to right, three layers above each other."""
    tokens = routing.chosen[:_TOKENS]
    last = routing.n_layers - 1
    layers = sorted({0, last // 2, last})
    with plain_style() as plt:
        fig, panels = plt.subplots(len(layers), 1, figsize=(7.6, 1.5 * len(layers) + 0.6), sharex=True)
        for axes, layer in zip(list(panels) if len(layers) > 1 else [panels], layers, strict=True):
            for number, by_layer in enumerate(tokens, start=1):
                for expert in by_layer[layer]:
                    axes.plot(
                        number, expert + 1, marker="s", markersize=4, linestyle="none", color=COLOURS[0]
                    )
            axes.set(ylim=(routing.n_experts + 0.6, 0.4), xlim=(0.3, len(tokens) + 0.7))
            axes.set_ylabel(f"layer {layer + 1}\nexpert")
            axes.set_yticks(range(1, routing.n_experts + 1, max(1, routing.n_experts // 8)))
            axes.tick_params(labelsize=8)
        axes.set_xlabel("token, in the order in which it went through the model")
        fig.suptitle(_title(routing), x=0.02, ha="left", fontsize=12, fontweight="bold")
        fig.tight_layout()
        shown = f"Shown are {len(layers)} of {routing.n_layers} layers: the first, a middle one and the last."
        caption = shown if len(layers) == 3 else ""
        if routing.random_weights:
            caption += " The router has random weights, too."
        return figure_html(fig, _alt(routing, len(tokens)), caption.strip())


def _title(routing: Routing) -> str:
    if routing.changes > 0.1:
        return f"Each token picks {routing.n_used} of {routing.n_experts} experts, in each layer anew"
    return f"Each token picks {routing.n_used} of {routing.n_experts} experts; here it hardly changes"


def _alt(routing: Routing, n_tokens: int) -> str:
    return (
        f"{_title(routing)}. Dots show which experts each of {n_tokens} tokens used, in several layers. "
        f"{routing.changed_text}"
    )
