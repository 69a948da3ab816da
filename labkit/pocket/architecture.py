"""The Llama architecture in PyTorch, dense or with a mixture of experts, as llama.cpp computes it.

Rotary embeddings turn neighbouring pairs (0, 1), (2, 3), …: llama.cpp's order for this architecture, so that
weights go into a GGUF without being rearranged. Needs PyTorch (the `train` extra).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class Shape:
    """The sizes of a model. Rows of all matrices are divisible by 256, as K-quants want them.

    `d_ff` is the width of one feed-forward block; with experts, of each expert.
    """

    n_vocab: int = 2048
    d_model: int = 256
    n_layers: int = 4
    n_heads: int = 4
    n_kv_heads: int = 2
    d_ff: int = 512
    n_experts: int = 0
    n_experts_used: int = 0
    context: int = 1024
    rope_theta: float = 10_000.0
    norm_eps: float = 1e-5

    @property
    def head_dim(self) -> int:
        return self.d_model // self.n_heads


class Attention(nn.Module):
    """Causal self-attention; query heads share `n_kv_heads` key and value heads."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        kv_dim = shape.n_kv_heads * shape.head_dim
        self.q = nn.Linear(shape.d_model, shape.d_model, bias=False)
        self.k = nn.Linear(shape.d_model, kv_dim, bias=False)
        self.v = nn.Linear(shape.d_model, kv_dim, bias=False)
        self.output = nn.Linear(shape.d_model, shape.d_model, bias=False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """x: (batch, tokens, d_model); cos, sin: (tokens, head_dim / 2)."""
        batch, tokens, width = x.shape
        heads = self.shape.n_heads, self.shape.n_kv_heads, self.shape.n_kv_heads
        q, k, v = (
            layer(x).view(batch, tokens, n, self.shape.head_dim).transpose(1, 2)
            for layer, n in zip((self.q, self.k, self.v), heads, strict=True)
        )
        repeat = self.shape.n_heads // self.shape.n_kv_heads
        q, k = rotate(q, cos, sin), rotate(k, cos, sin)
        k, v = k.repeat_interleave(repeat, 1), v.repeat_interleave(repeat, 1)
        mixed = F.scaled_dot_product_attention(q, k.to(q.dtype), v.to(q.dtype), is_causal=True)
        return self.output(mixed.transpose(1, 2).reshape(batch, tokens, width))


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary position embedding of x, (batch, heads, tokens, head_dim), in neighbouring pairs."""
    even, odd = x[..., ::2], x[..., 1::2]
    cos, sin = cos.to(x.dtype), sin.to(x.dtype)
    return torch.stack((even * cos - odd * sin, even * sin + odd * cos), -1).flatten(-2)


class FeedForward(nn.Module):
    """The gated block: three matrices."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.gate = nn.Linear(shape.d_model, shape.d_ff, bias=False)
        self.up = nn.Linear(shape.d_model, shape.d_ff, bias=False)
        self.down = nn.Linear(shape.d_ff, shape.d_model, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.down(F.silu(self.gate(x)) * self.up(x))


class Experts(nn.Module):
    """A mixture: a router gives each token to its best few feed-forward blocks.

    The weights of the chosen are their softmax probabilities, made to sum to 1, as llama.cpp does for this
    architecture. `balance` is the loss that keeps all experts in use (Switch Transformer, equation 4), of the
    last forward pass.
    """

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.used = shape.n_experts_used
        self.router = nn.Linear(shape.d_model, shape.n_experts, bias=False)
        self.experts = nn.ModuleList(FeedForward(shape) for _ in range(shape.n_experts))
        self.balance: Tensor | float = 0.0

    def forward(self, x: Tensor) -> Tensor:
        flat = x.reshape(-1, x.shape[-1])
        with torch.autocast("cpu", enabled=False), torch.autocast("cuda", enabled=False):
            probabilities = self.router(flat.float()).softmax(-1)
        weights, chosen = probabilities.topk(self.used, -1)
        weights = weights / weights.sum(-1, keepdim=True)
        shares = torch.zeros_like(probabilities).scatter(-1, chosen, weights)
        # Every expert reads every token: for experts as small as these that is quicker than sorting tokens.
        result = sum(
            expert(flat) * share.unsqueeze(-1).to(flat.dtype)
            for expert, share in zip(self.experts, shares.unbind(-1), strict=True)
        )
        count = F.one_hot(chosen, len(self.experts)).float().sum(1).mean(0) / self.used
        self.balance = len(self.experts) * (count * probabilities.mean(0)).sum()
        return result.view_as(x)


class Layer(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.attention_norm = nn.RMSNorm(shape.d_model, shape.norm_eps)
        self.attention = Attention(shape)
        self.ffn_norm = nn.RMSNorm(shape.d_model, shape.norm_eps)
        self.ffn = Experts(shape) if shape.n_experts else FeedForward(shape)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        x = x + self.attention(self.attention_norm(x), cos, sin)
        return x + self.ffn(self.ffn_norm(x))


class PocketModel(nn.Module):
    """Token ids (batch, tokens) in, logits (batch, tokens, n_vocab) out.

    Input and output share one embedding.
    """

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.embedding = nn.Embedding(shape.n_vocab, shape.d_model)
        self.layers = nn.ModuleList(Layer(shape) for _ in range(shape.n_layers))
        self.output_norm = nn.RMSNorm(shape.d_model, shape.norm_eps)
        inverse = shape.rope_theta ** (-torch.arange(0, shape.head_dim, 2).float() / shape.head_dim)
        angle = torch.outer(torch.arange(shape.context).float(), inverse)
        self.register_buffer("cos", angle.cos(), persistent=False)
        self.register_buffer("sin", angle.sin(), persistent=False)
        self._initialise()

    def _initialise(self) -> None:
        """Normal weights, scaled to keep the size of what goes through them.

        What writes into the residual stream starts smaller (GPT-2's rule). The embeddings share a direction:
        with it a head can look at a position, whatever the token there, from the first step on. The first
        head begins by looking at the token before. This is half of what copying from the text needs (an
        induction head, Olsson et al. 2022), and a model of this size is slow to find it.
        """
        width = self.shape.d_model
        for name, weight in self.named_parameters():
            if weight.dim() == 2:
                into_residual = name.endswith(("output.weight", "down.weight"))
                scale = 0.02 / (2 * self.shape.n_layers) ** 0.5 if into_residual else width**-0.5
                nn.init.normal_(weight, std=scale)
        with torch.no_grad():
            nn.init.normal_(self.embedding.weight, std=0.02)
            shared = torch.randn(width)
            self.embedding.weight += 0.02 * shared
            self._look_back(F.normalize(shared, dim=0))

    def _look_back(self, shared: Tensor, n_pairs: int = 12, size: float = 0.25) -> None:
        """Makes the first head look at the token before, through the direction that all embeddings share.

        A query and a key in the plane of a rotary pair score by the cosine of the angle between them: here
        highest at a distance of one token. Only the quick pairs, the first, tell neighbours apart.
        """
        attention, pairs = self.layers[0].attention, slice(0, 2 * n_pairs)
        cos, sin = self.cos[1, :n_pairs], self.sin[1, :n_pairs]
        attention.q.weight[pairs] += size * torch.outer(torch.stack((cos, -sin), -1).flatten(), shared)
        attention.k.weight[pairs] += size * torch.outer(torch.tensor([1.0, 0.0] * n_pairs), shared)

    def hidden(self, tokens: Tensor) -> Tensor:
        """The normalised state of the last layer, (batch, tokens, d_model)."""
        length = tokens.shape[1]
        cos, sin = self.cos[:length], self.sin[:length]
        x = self.embedding(tokens)
        for layer in self.layers:
            x = layer(x, cos, sin)
        return self.output_norm(x)

    def forward(self, tokens: Tensor) -> Tensor:
        return F.linear(self.hidden(tokens), self.embedding.weight)

    def balance_loss(self) -> Tensor | float:
        """The experts' balance loss of the last forward pass, averaged over layers; 0 without experts."""
        if not self.shape.n_experts:
            return 0.0
        return sum(layer.ffn.balance for layer in self.layers) / len(self.layers)
