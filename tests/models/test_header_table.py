"""A header in words."""

from __future__ import annotations

from dataclasses import replace

from labkit.models.gguf import read_gguf_header


def _facts(header):
    return {row[0]: row[1] for row in header.table().rows}


def test_the_small_models_header_in_words(small_model):
    facts = _facts(read_gguf_header(small_model.path))
    assert facts["parameters"] == "134,515,008 (135 M)"
    assert facts["query heads, KV heads"] == "9, 3"
    assert facts["context in training"] == "8,192 tokens"
    assert facts["quantization"] == "Q4_1"


def test_what_a_file_does_not_say_is_left_out(random_model):
    header = read_gguf_header(random_model.path)
    bare = replace(
        header, metadata={"general.architecture": "llama", "llama.block_count": "many"}, tensors=[]
    )
    facts = _facts(bare)
    assert facts["architecture"] == "llama"
    assert not {"layers", "width (embedding length)", "bits per parameter"} & set(facts)
    assert "<table>" in bare._repr_html_()
