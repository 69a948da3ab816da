"""Makes `datasets/random/random-llama.gguf`: a tiny model of the Llama architecture with random weights.

It lets every cell run on a machine without any network. It knows nothing, and its name says so. For authors:

    python -m labkit.models.random_model            writes the file
    python -m labkit.models.random_model --check    builds it again and compares, byte for byte

The weights come from a fixed seed, in integer steps, so that every machine makes the same bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import tempfile
from pathlib import Path
from typing import Any

from labkit.models import embedded
from labkit.settings import datasets_dir

SEED = 20261122
N_LAYERS, N_EMBD, N_HEADS, N_KV_HEADS, N_FF, CONTEXT = 3, 128, 4, 2, 352, 2048
_BOS, _EOS, _UNKNOWN = 0, 1, 2
_NORMAL, _UNKNOWN_KIND, _CONTROL, _BYTE = 1, 2, 3, 6
#: one token for each printable ASCII character (SentencePiece writes the space as ▁), beside all 256 bytes
_CHARACTERS = [chr(code).replace(" ", "\u2581") for code in range(32, 127)]
_N_BYTES_AND_MARKERS = 3 + 256
TITLE = "Random weights (not a trained model)"


def build(path: Path) -> None:
    """Writes the file. Needs the `gguf` package, which the test extra installs."""
    import gguf

    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name(TITLE)
    writer.add_description("Random numbers in place of weights. Whatever this model writes is noise.")
    writer.add_license("apache-2.0")
    writer.add_block_count(N_LAYERS)
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(N_EMBD)
    writer.add_feed_forward_length(N_FF)
    writer.add_head_count(N_HEADS)
    writer.add_head_count_kv(N_KV_HEADS)
    writer.add_rope_dimension_count(N_EMBD // N_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_file_type(int(gguf.LlamaFileType.MOSTLY_F16))
    _add_tokenizer(writer)
    for name, values in _weights().items():
        writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _add_tokenizer(writer: Any) -> None:
    """A tokenizer that knows three markers, every byte, and every printable ASCII character."""
    tokens = ["<s>", "</s>", "<unk>", *(f"<0x{byte:02X}>" for byte in range(256)), *_CHARACTERS]
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens)
    writer.add_token_scores([0.0] * len(tokens))
    writer.add_token_types([_CONTROL, _CONTROL, _UNKNOWN_KIND, *[_BYTE] * 256, *[_NORMAL] * len(_CHARACTERS)])
    writer.add_bos_token_id(_BOS)
    writer.add_eos_token_id(_EOS)
    writer.add_unk_token_id(_UNKNOWN)
    writer.add_add_space_prefix(False)
    writer.add_add_bos_token(True)
    writer.add_chat_template(
        "{{ bos_token }}{% for message in messages %}{{ message['role'] }}: {{ message['content'] }}\n"
        "{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}"
    )


def _weights() -> dict[str, Any]:
    """Tensors by name: float16 matrices (rows, columns), float32 norms."""
    import numpy as np

    random = np.random.RandomState(SEED)  # its stream is frozen, unlike that of newer generators

    def matrix(rows: int, columns: int, divisor: int = 1024) -> Any:
        # Whole numbers divided by a power of two: exact in float16, alike on every machine.
        return (random.randint(-128, 129, size=(rows, columns)) / divisor).astype(np.float16)

    def residual(columns: int) -> Any:
        # Nothing writes to dimension 0 of the residual stream: see below.
        values = matrix(N_EMBD, columns)
        values[0] = 0
        return values

    n_vocab = _N_BYTES_AND_MARKERS + len(_CHARACTERS)
    kv_width = N_EMBD // N_HEADS * N_KV_HEADS
    tensors: dict[str, Any] = {"token_embd.weight": matrix(n_vocab, N_EMBD)}
    tensors["token_embd.weight"][:, 0] = 2
    for layer in range(N_LAYERS):
        block = f"blk.{layer}"
        tensors[f"{block}.attn_norm.weight"] = np.ones(N_EMBD, dtype=np.float32)
        tensors[f"{block}.attn_q.weight"] = matrix(N_EMBD, N_EMBD)
        tensors[f"{block}.attn_k.weight"] = matrix(kv_width, N_EMBD)
        tensors[f"{block}.attn_v.weight"] = matrix(kv_width, N_EMBD)
        tensors[f"{block}.attn_output.weight"] = residual(N_EMBD)
        tensors[f"{block}.ffn_norm.weight"] = np.ones(N_EMBD, dtype=np.float32)
        tensors[f"{block}.ffn_gate.weight"] = matrix(N_FF, N_EMBD)
        tensors[f"{block}.ffn_up.weight"] = matrix(N_FF, N_EMBD)
        tensors[f"{block}.ffn_down.weight"] = residual(N_FF)
    tensors["output_norm.weight"] = np.ones(N_EMBD, dtype=np.float32)
    # Dimension 0 is a constant, and serves as a bias against markers and bytes: the noise that the model
    # writes then consists of printable characters, and does a terminal no harm.
    output = matrix(n_vocab, N_EMBD, divisor=256)
    output[:_N_BYTES_AND_MARKERS, 0] = -32
    output[_N_BYTES_AND_MARKERS:, 0] = 0
    tensors["output.weight"] = output
    return tensors


def check(path: Path) -> str:
    """What is wrong with the committed file; empty when it is the one that this module makes."""
    if not path.is_file():
        return f"{path} is missing."
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder) / path.name
        build(fresh)
        made, committed = (hashlib.sha256(p.read_bytes()).hexdigest() for p in (fresh, path))
    if made != committed:
        return f"{path} has SHA-256 {committed}, but a fresh build has {made}."
    if committed != embedded.SHA256:
        return f"labkit/models/embedded.py names SHA-256 {embedded.SHA256}, but the file has {committed}."
    return ""


def main() -> int:
    parser = argparse.ArgumentParser(description="Make the embedded model with random weights.")
    parser.add_argument("--check", action="store_true", help="compare with a fresh build, write nothing")
    arguments = parser.parse_args()
    path = datasets_dir() / "random" / embedded.FILENAME
    if arguments.check:
        problem = check(path)
        print(problem or f"{path} is as this module makes it.")
        return 1 if problem else 0
    path.parent.mkdir(parents=True, exist_ok=True)
    build(path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    print(f"{path}: {path.stat().st_size:,} bytes, SHA-256 {digest} (put it into labkit/models/embedded.py)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
