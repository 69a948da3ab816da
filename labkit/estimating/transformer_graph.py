"""The graph that llama.cpp computes for one batch, built from the tensors that a model has.

A layer's tensors tell what it does: separate or fused queries, keys and values; norms before or after; a
dense feed-forward block or experts; latent attention. What changes no memory is left out.

Source: src/llama-graph.cpp and src/models/*.cpp of llama.cpp, as built into llama-cpp-python 0.3.36. Going
further from chapter 6.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from labkit.estimating.blueprint import Blueprint
from labkit.estimating.graph import Graph, Node
from labkit.estimating.kv_cache import KVLayer
from labkit.estimating.layer_tensors import LayerTensors, layer_tensors

_F16, _F32, _I32, _I64 = 2, 4, 4, 8
_ROTATED = 64
_FIRST, _PERIOD = 8, 12
#: they keep the last layer's result for all tokens, in case a drafting layer follows
_LAST_LAYER_WHOLE = frozenset({"gpt-oss"})


@dataclass(frozen=True)
class Batch:
    """What one call computes.

    Attributes
    ----------
    n_tokens : tokens in the batch, over all sequences.
    n_outputs : tokens whose scores are wanted.
    n_cells, n_window_cells : cells that a token can look at: in a layer that sees all, in one with a window.
    flash_attention : attention in one fused step?
    rotated_keys, rotated_values : are they rotated before they are rounded into the cache?
    """

    n_tokens: int
    n_outputs: int
    n_cells: int
    n_window_cells: int = 0
    flash_attention: bool = True
    rotated_keys: bool = False
    rotated_values: bool = False


def transformer_graph(blueprint: Blueprint, layers: tuple[KVLayer, ...], batch: Batch) -> Graph:
    """The graph of a batch, from the tokens to the scores. `layers` are those of `kv_layers`."""
    return _Builder(blueprint, layers, batch).build()


class _Builder:
    def __init__(self, blueprint: Blueprint, layers: tuple[KVLayer, ...], batch: Batch) -> None:
        self.graph, self.blueprint, self.batch = Graph(), blueprint, batch
        self.caches = {layer.layer: layer for layer in layers}
        self.n = batch.n_tokens
        self.n_embd = blueprint.n_embd
        self.heads = blueprint.per_layer("attention.head_count", default=1)
        self.layers = layer_tensors(blueprint)
        rms = f"{blueprint.architecture}.attention.layer_norm_rms_epsilon"
        self.norm_in_place = rms in blueprint.metadata
        self.slides = any(layer.window is not None for layer in layers)
        self._inputs()

    def _inputs(self) -> None:
        n, batch = self.n, self.batch
        self.positions = Node(("pos",), _I32 * n)
        mask = _F16 if batch.flash_attention else _F32
        self.mask = Node(("mask",), mask * batch.n_cells * n)
        self.window_mask = Node(("window",), mask * batch.n_window_cells * n)
        value_row = max((c.value_row for c in self.caches.values()), default=0)
        self.key_cells, self.window_key_cells = Node(("k",), _I64 * n), Node(("k",), _I64 * n)
        size = _I64 * n * (1 if batch.flash_attention else value_row)
        self.value_cells, self.window_value_cells = Node(("v",), size), Node(("v",), size)
        self.wanted = Node(("ids",), _I32 * batch.n_outputs)
        key_dim = next((c.key_dim for c in self.caches.values()), _ROTATED)
        # The largest power of two, from 64 on, that divides a key.
        keys = (key_dim & -key_dim) if key_dim % _ROTATED == 0 else _ROTATED
        sizes = {"key": keys, "value": _ROTATED}
        self.rotations = {
            (what, window): Node(("rotation",), _F32 * size**2)
            for what, size in sizes.items()
            for window in (False, True)
        }

    # ---------------------------------------------------------------- small parts

    def result(self, width: int, *sources: Node, n: int | None = None, in_place: bool = False) -> Node:
        """`width` numbers for each token."""
        n = self.n if n is None else n
        return Node((width, n), _F32 * width * n, sources, in_place=in_place)

    def per_head(self, source: Node, heads: int, dim: int) -> Node:
        """The same numbers, seen as heads."""
        owner = source.view_of or source
        return Node((dim, heads, self.n), 0, (source,), view_of=owner)

    def strided(self, source: Node, *shape: int) -> Node:
        """A part of each row."""
        return Node((*shape, "strided"), 0, (source,), view_of=source.view_of or source)

    def like(self, source: Node, *more: Node) -> Node:
        """An operation number by number; it can overwrite its first operand."""
        dense = tuple(size for size in source.shape if size != "strided")
        n_bytes = _F32 * math.prod(int(size) for size in dense)  # type: ignore[call-overload]
        return Node(dense, n_bytes, (source, *more), in_place=True)

    def norm(self, source: Node) -> Node:
        """Divided by its length, then multiplied by the norm's weights."""
        divided = self.like(source)
        divided.in_place = self.norm_in_place  # only the root mean square can overwrite its operand
        return self.like(divided)

    def product(self, layer: LayerTensors, name: str, source: Node) -> Node:
        """The product with a matrix of the layer, and its bias where it has one."""
        n = int(source.shape[-1])  # type: ignore[call-overload]
        result = self.result(layer.rows(name), source, n=n)
        return self.like(result) if f"{name}.bias" in layer else result

    # ---------------------------------------------------------------- the graph

    def build(self) -> Graph:
        stream = self._embedding()
        last = max(self.layers, default=0)
        drafting = self.blueprint.number("nextn_predict_layers", 0)
        last -= drafting if drafting <= last else 0
        whole = self.blueprint.architecture in _LAST_LAYER_WHOLE
        for index in _enough_layers(last + 1):
            stream = self._layer(index, self.layers[index], stream, index == last and not whole)
        if whole:
            stream.kept = True
            stream = self._only_wanted(stream)
        normed = self.norm(stream)
        normed.kept = True
        scores = self.result(self.blueprint.vocabulary_size, normed, n=self.batch.n_outputs)
        if f"{self.blueprint.architecture}.final_logit_softcapping" in self.blueprint.metadata:
            scores = self.like(self.like(self.like(scores)))
        scores.kept = True
        self.graph.add(scores)
        return self.graph

    def _embedding(self) -> Node:
        """Rows of the embedding; beside them lies the room for embeddings given in place of tokens."""
        embedded = self.result(self.n_embd, Node(("tokens",), _I32 * self.n))
        self.graph.add(embedded)
        room = self.graph.add(Node(("embeddings",), _F32 * self.n_embd * self.n))
        room.unused = True
        scaled = self.blueprint.architecture.startswith(("gemma", "granite", "minicpm"))
        return self.like(embedded) if scaled else embedded

    def _layer(self, index: int, layer: LayerTensors, stream: Node, is_last: bool) -> Node:
        normed = self.norm(stream) if "attn_norm" in layer else stream
        attended = self._attention(index, layer, normed)
        residual, n_before = stream, self.n
        if is_last:
            attended = self._only_wanted(attended)
            residual = self._only_wanted(stream)
            if "ffn_norm" not in layer and "post_ffw_norm" not in layer:
                normed = self._only_wanted(normed)
            self.n = self.batch.n_outputs
        # gpt-oss calls the norm before its experts that.
        before = "ffn_norm" in layer or ("post_attention_norm" in layer and "post_ffw_norm" not in layer)
        if "post_attention_norm" in layer and ("ffn_norm" in layer or "post_ffw_norm" in layer):
            attended = self.norm(attended)
        if before or "post_ffw_norm" in layer:
            middle = self.like(attended, residual)
            inside = self.norm(middle) if before else middle
            result = self._feed_forward(layer, inside)
            if "post_ffw_norm" in layer:
                result = self.norm(result)
            # Which operand is overwritten depends on their order.
            first, second = (middle, result) if self.blueprint.architecture == "phi3" else (result, middle)
            stream = self.like(first, second)
        else:  # attention and feed-forward side by side
            beside = self._feed_forward(layer, normed)
            if self.blueprint.architecture in ("cohere2", "command-r"):
                stream = self.like(self.like(beside, residual), attended)
            else:
                stream = self.like(self.like(attended, beside), residual)
        self.n = n_before
        return stream

    def _only_wanted(self, source: Node) -> Node:
        width = int(source.shape[0])  # type: ignore[call-overload]
        return self.result(width, source, self.wanted, n=self.batch.n_outputs)

    # ---------------------------------------------------------------- attention

    def _attention(self, index: int, layer: LayerTensors, normed: Node) -> Node:
        if "attn_kv_a_mqa" in layer and "attn_k_b" in layer:
            return self._latent_attention(index, layer, normed)
        cache, heads = self.caches[index], self.heads[index]
        query, key, value = self._queries_keys_values(index, layer, normed, heads)
        window = cache.window is not None
        if self.batch.rotated_keys:
            rotation = self.rotations["key", window]
            query, key = self._rotated(query, rotation), self._rotated(key, rotation)
        if self.batch.rotated_values:
            value = self._rotated(value, self.rotations["value", window])
        for node in (query, key, value) if self.slides else (query, value, key):
            self.graph.add(node)
        self._store(cache, key, value)
        result = self._look(cache, query, heads, cache.value_dim)
        if self.batch.rotated_values:
            result = self._rotated(result, self.rotations["value", window])
        return self.product(layer, "attn_output", result)

    def _queries_keys_values(
        self, index: int, layer: LayerTensors, normed: Node, heads: int
    ) -> tuple[Node, Node, Node]:
        cache = self.caches[index]
        if "attn_qkv" in layer:
            fused = self.product(layer, "attn_qkv", normed)
            query = self.strided(fused, cache.key_dim, heads, self.n)
            key = self.strided(fused, cache.key_dim, cache.n_kv_heads, self.n)
            value = self.strided(fused, cache.value_dim, cache.n_kv_heads, self.n)
        else:
            query, key, value = (self.product(layer, f"attn_{name}", normed) for name in "qkv")
            if self._norm_is_whole(layer, heads):
                query, key = self.norm(query), self.norm(key)
            query = self.per_head(query, heads, cache.key_dim)
            key = self.per_head(key, cache.n_kv_heads, cache.key_dim)
            value = self.per_head(value, cache.n_kv_heads, cache.value_dim)
        if "attn_q_norm" in layer and not self._norm_is_whole(layer, heads):
            query, key = self.norm(query), self.norm(key)
        if self._has_positions(index):
            query, key = self.like(query, self.positions), self.like(key, self.positions)
        if self.blueprint.architecture in ("phi2", "phi3", "gemma", "gemma2", "gemma3"):
            query = self.like(query)  # scaled here, not in the product
        return query, key, value

    def _has_positions(self, index: int) -> bool:
        """Some architectures rotate only the layers with a window, or three of four."""
        if self.blueprint.architecture == "smollm3":
            return (index + 1) % 4 != 0
        if self.blueprint.architecture in ("cohere2", "exaone4") and self.slides:
            return self.caches[index].window is not None
        return True

    def _norm_is_whole(self, layer: LayerTensors, heads: int) -> bool:
        """OLMo 2 takes the norm of all heads at once."""
        return (
            layer.shapes.get("attn_q_norm", (0,))[0] == layer.shapes.get("attn_q", (0, -1))[1] and heads > 1
        )

    def _rotated(self, source: Node, rotation: Node) -> Node:
        dense = tuple(size for size in source.shape if size != "strided")
        n_bytes = _F32 * math.prod(int(size) for size in dense)  # type: ignore[call-overload]
        if dense == source.shape:
            flat = Node(("rows", *dense), 0, (source,), view_of=source.view_of or source)
        else:
            flat = Node(("rows", *dense), n_bytes, (source,))
        product = Node(("rotated", *dense), n_bytes, (rotation, flat))
        return Node(dense, 0, (product,), view_of=product)

    def _store(self, cache: KVLayer, key: Node, value: Node | None) -> None:
        """Writes keys and values into the cache."""
        window = cache.window is not None
        cells = self.window_key_cells if window else self.key_cells
        flat = self.strided(key, cache.key_row, self.n)
        self.graph.add(Node(("stored",), 0, (flat, cells), view_of=Node(("cache",), 0)))
        if value is None:
            return
        cells = self.window_value_cells if window else self.value_cells
        flat = self.strided(value, cache.value_row, self.n)
        if not self.batch.flash_attention:
            if value.shape[-1] == "strided":
                flat = Node((cache.value_row, self.n), _F32 * cache.value_row * self.n, (value,))
            flat = self.strided(flat, cache.value_row * self.n)
        self.graph.add(Node(("stored",), 0, (flat, cells), view_of=Node(("cache",), 0)))

    def _look(self, cache: KVLayer, query: Node, heads: int, value_dim: int, out: int = 0) -> Node:
        """Attention itself: `value_dim` numbers per head, of which a latent one makes `out`."""
        window = cache.window is not None
        mask = self.window_mask if window else self.mask
        n_cells = self.batch.n_window_cells if window else self.batch.n_cells
        turned = self.strided(self.strided(query, 1), 2)
        n, dim = self.n, out or value_dim
        if self.batch.flash_attention:
            result = self.result(heads * value_dim, turned, mask)
            if out:
                product = self.result(heads * out, self.strided(result, 3))
                result = self.result(heads * out, self.strided(product, 4))
        else:
            scores = Node((n_cells, n, heads), _F32 * n_cells * n * heads, (turned,))
            if f"{self.blueprint.architecture}.attn_logit_softcapping" in self.blueprint.metadata:
                scores = self.like(self.like(self.like(scores)))
            weights = self.like(scores, mask)
            result = self.result(heads * value_dim, weights)
            if out:
                result = self.result(heads * out, result)
            result = self.result(heads * dim, self.strided(result, 5))
            self.graph.add(result)
            return result
        seen = Node((heads * dim, n), 0, (result,), view_of=result)
        self.graph.add(seen)
        return seen

    def _latent_attention(self, index: int, layer: LayerTensors, normed: Node) -> Node:
        """DeepSeek's: one compressed vector for all heads in place of keys and values."""
        cache, heads, n = self.caches[index], self.heads[index], self.n
        nope, rank = layer.shapes["attn_k_b"][0], layer.shapes["attn_k_b"][1]
        rope = cache.key_dim - rank
        if "attn_q_a" in layer:
            query = self.product(layer, "attn_q_b", self.norm(self.product(layer, "attn_q_a", normed)))
        else:
            query = self.product(layer, "attn_q", normed)
        query = self.per_head(query, heads, nope + rope)
        compressed = self.product(layer, "attn_kv_a_mqa", normed)
        values = self.norm(self.strided(compressed, rank, n))
        key_rope = self.like(self.strided(compressed, rope, 1, n), self.positions)
        query_rope = self.like(self.strided(query, rope, heads, n), self.positions)
        absorbed = self.result(heads * rank, self.strided(self.strided(query, nope, heads, n), 6))
        query = Node(
            (cache.key_dim, heads, n),
            _F32 * cache.key_dim * heads * n,
            (self.strided(absorbed, 7), query_rope),
        )
        values = self.per_head(values, 1, rank)
        key = Node((cache.key_dim, 1, n), _F32 * cache.key_dim * n, (values, key_rope))
        for node in (query, values, key):
            self.graph.add(node)
        self._store(cache, key, None)
        out = layer.shapes["attn_v_b"][1]
        return self.product(layer, "attn_output", self._look(cache, query, heads, rank, out))

    # ---------------------------------------------------------------- feed-forward

    def _feed_forward(self, layer: LayerTensors, source: Node) -> Node:
        if "ffn_gate_inp" in layer:
            return self._experts(layer, source)
        return self._dense(layer, source, "")

    def _dense(self, layer: LayerTensors, source: Node, suffix: str) -> Node:
        up, gate, down = (f"ffn_{name}{suffix}" for name in ("up", "gate", "down"))
        inner = self.product(layer, up, source)
        if gate in layer:
            inner = self.result(layer.rows(up), self.product(layer, gate, source), inner)
        elif layer.shapes[down][0] * 2 == layer.rows(up):  # gate and up in one
            inner = self.result(layer.shapes[down][0], inner)
        else:
            inner = self.like(inner)
        return self.product(layer, down, inner)

    def _experts(self, layer: LayerTensors, source: Node) -> Node:
        """Routed experts: each token's result from each of its experts, then their sum."""
        n_experts, used, n = self.blueprint.n_experts, self.blueprint.n_experts_used, self.n
        logits = self.product(layer, "ffn_gate_inp", source)
        shares = self.like(logits)
        biased = Node((n_experts, n), shares.n_bytes, (shares,), in_place=True)
        order = Node(
            (n_experts, n), _I32 * n_experts * n, (biased if "exp_probs_b.bias" in layer else shares,)
        )
        chosen = Node((used, "chosen"), 0, (order,), view_of=order)
        weights = Node((1, used, n), _F32 * used * n, (self.strided(shares, 1, n_experts, n), chosen))
        self.graph.add(weights)
        by_token = self.strided(source, self.n_embd, 1, n)

        def product(name: str, width: int, operand: Node) -> Node:
            result = Node((width, used, n), _F32 * width * used * n, (operand, chosen))
            return self.like(result, chosen) if f"{name}.bias" in layer else result

        width = layer.shapes["ffn_down_exps"][0]
        if "ffn_gate_up_exps" in layer:
            both = product("ffn_gate_up_exps", 2 * width, by_token)
            gate, up = self.strided(both, width), self.strided(both, width)
        else:
            up = product("ffn_up_exps", width, by_token)
            gate = product("ffn_gate_exps", width, by_token)
        inner = Node((width, used, n), _F32 * width * used * n, (gate, up))
        outputs = self.like(product("ffn_down_exps", self.n_embd, inner), weights)
        self.graph.add(outputs)
        parts = [self.graph.add(self.strided(outputs, self.n_embd, n)) for _ in range(used)]
        total = parts[0]
        for part in parts[1:]:
            total = self.graph.add(self.result(self.n_embd, total, part, in_place=True))
        if used == 1:
            total = self.result(self.n_embd, total)
        if "ffn_up_shexp" in layer:
            total = self.like(total, self._dense(layer, source, "_shexp"))
        return total


def _enough_layers(n_layers: int) -> list[int]:
    """The first layers and the last; those between repeat them.

    Where results lie may alternate from layer to layer, and so do windows, every second to sixth layer: so
    the layers left out are a multiple of twelve.
    """
    left_out = max(0, n_layers - _FIRST - _PERIOD // 2) // _PERIOD * _PERIOD
    return [*range(_FIRST), *range(_FIRST + left_out, n_layers)] if left_out else list(range(n_layers))
