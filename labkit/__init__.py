"""labkit: the instruments behind the course *Understanding AI Models*.

`import labkit as lk` gives a chapter all it needs. Names load on first use, so the import itself
stays quick and pulls in neither pandas, matplotlib nor llama_cpp.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

#: public name → the module that defines it
_EXPORTS: dict[str, str] = {}
for _module, _names in {
    "labkit.errors": "LabError",
    "labkit.models.catalogue": "catalogue find_model",
    "labkit.models.download": "fetch get_model local_model ModelFile",
    "labkit.models.gguf": "read_gguf_header",
    "labkit.models.loading": "load_model close_all_models Model",
    "labkit.models.estimate": "estimate",
    "labkit.models.twin": "twin forget_twins",
    "labkit.models.quantize": "quantize forget_quantized",
    "labkit.measuring.quality": "quality",
    "labkit.measuring.quality_table": "compare_quantizations",
    "labkit.measuring.twin_speed": "bench_twin",
    "labkit.measuring.hardware": "machine",
    "labkit.measuring.bench": "bench",
    "labkit.measuring.memory_run": "measure_memory compare_memory",
    "labkit.measuring.moe_trio": "moe_trio trio_file compare_twins",
    "labkit.measuring.routing": "watch_experts",
    "labkit.measuring.cache_benefit": "with_and_without_cache",
    "labkit.measuring.fit": "fit",
    "labkit.measuring.bandwidth": "memory_bandwidth roofline",
    "labkit.measuring.gpu": "watch_gpu",
    "labkit.measuring.network": "outside_connections",
    "labkit.measuring.server": "serve",
    "labkit.pocket.openness": "openness",
    "labkit.pocket.provenance": "who_taught",
    "labkit.pocket.leave_out": "with_and_without",
    "labkit.learning.quiz": "quiz",
    "labkit.learning.prediction": "predict compare_prediction",
    "labkit.learning.exercise": "check exercise",
    "labkit.learning.progress": "progress",
    "labkit.learning.licence_explorer": "licence_explorer",
    "labkit.learning.decision": "decision_exercise",
    "labkit.learning.electricity": "electricity",
    "labkit.learning.cost_table": "cost",
    "labkit.learning.fit_explorer": "fit_explorer",
    "labkit.learning.memory_chart": "memory_chart",
    "labkit.learning.token_chart": "next_token_chart",
    "labkit.learning.size_table": "size_table published_sizes",
    "labkit.measuring.size_run": "measure_sizes",
    "labkit.learning.model_config": "model_config",
    "labkit.learning.parameter_table": "parameter_table",
    "labkit.learning.parameter_chart": "parameter_chart layer_picture",
    "labkit.learning.trio_chart": "trio_chart",
    "labkit.learning.mixtures": "mixtures_table",
    "labkit.learning.routing_chart": "routing_chart",
    "labkit.learning.kv_steps": "kv_steps",
    "labkit.learning.cache_chart": "cache_chart",
    "labkit.models.weights": "read_weights",
    "labkit.measuring.quant_speed": "compare_quant_speeds",
    "labkit.learning.block_bits": "rounding_table compare_bits",
    "labkit.learning.block_chart": "rounding_chart",
    "labkit.learning.quant_errors": "quant_errors",
    "labkit.learning.quant_chart": "quant_speed_chart",
    "labkit.models.chat_template": "chat_template chat_prompt",
    "labkit.measuring.writing_speed": "writing_speeds",
    "labkit.learning.quality_chart": "quality_chart",
    "labkit.learning.published_quality": "published_quality",
    "labkit.evaluation.prompting": "try_prompts",
    "labkit.evaluation.right_answers": "count_right",
    "labkit.learning.lesson": "teach",
    "labkit.learning.template_chart": "template_chart",
    "labkit.models.tokenizer": "tokenizer tokenizers_here",
    "labkit.learning.token_view": "show_tokens token_explorer",
    "labkit.learning.watch_merges": "watch_merges merge_chart",
    "labkit.learning.sample_texts": "sentences_in",
    "labkit.learning.language_counts": "compare_languages language_chart recorded_table tokens_per_kilobyte",
    "labkit.learning.text_budget": "text_budget reading_price",
    "labkit.learning.trailing_space": "trailing_space",
    "labkit.learning.own_text": "count_tokens",
    "labkit.learning.pages": "start_page environment_check facts_table myths",
}.items():
    _EXPORTS.update(dict.fromkeys(_names.split(), _module))

__all__ = sorted(_EXPORTS)


def __getattr__(name: str) -> Any:
    if name in _EXPORTS:
        value = getattr(importlib.import_module(_EXPORTS[name]), name)
        globals()[name] = value
        return value
    try:
        return importlib.import_module(f"labkit.{name}")
    except ModuleNotFoundError as error:
        if error.name != f"labkit.{name}":
            raise
    raise AttributeError(f"module 'labkit' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_EXPORTS})
