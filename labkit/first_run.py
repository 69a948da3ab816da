"""The main job, proven in the terminal before any browser: a model is fetched, run and measured."""

from __future__ import annotations

from typing import Any

from labkit.errors import LabError

PROMPT = "Explain in one sentence what a public library is."
_ANSWER_TOKENS = 48
#: A short measurement: `labkit bench` and the chapters use 512, 128 and 5.
_PROMPT_TOKENS, _GENERATED_TOKENS, _REPETITIONS = 128, 32, 3


def first_run(*, quiet: bool = False) -> dict[str, Any]:
    """Check the machine, get the small model, let it answer once, measure it. Returns all that as a dict.

    Raises LabError when a check fails. `quiet` prints nothing.
    """
    from labkit.measuring.bench import bench
    from labkit.measuring.doctor import check_up, is_healthy
    from labkit.models.download import get_model

    def tell(text: str, end: str = "\n") -> None:
        if not quiet:
            print(text, end=end, flush=True)

    findings = check_up(network=False)
    for finding in findings:
        if finding.name in ("llama.cpp", "Processor", "Cores", "Memory") or finding.status == "fail":
            tell(str(finding))
    if not is_healthy(findings):
        failed = next(finding for finding in findings if finding.status == "fail")
        raise LabError(f"{failed.name}: {failed.text}", failed.cure)

    tell("")
    file = get_model(show_progress=not quiet)
    tell(repr(file))
    tell(f"\nYou:   {PROMPT}\nModel: ", end="")
    answer = _answer(file, lambda text: tell(text, end=""))
    tell(f"\n       ({answer['tokens']} tokens, {answer['tokens_per_s']:.1f} tokens/s)\n")
    result = bench(
        file,
        prompt=_PROMPT_TOKENS,
        generate=_GENERATED_TOKENS,
        repetitions=_REPETITIONS,
        show_progress=not quiet,
    )
    tell(repr(result))
    return {
        "findings": [finding.to_dict() for finding in findings],
        "model": file.to_dict(),
        "answer": answer,
        "bench": result.to_dict(),
    }


def _answer(file: Any, on_text: Any) -> dict[str, Any]:
    from labkit.models.loading import load_model

    with load_model(file, context=512) as model:
        generation = model.generate(PROMPT, max_tokens=_ANSWER_TOKENS, on_text=on_text)
    return {
        "prompt": PROMPT,
        "text": generation.text,
        "tokens": generation.tokens,
        "tokens_per_s": generation.tokens_per_s,
        "stop_reason": generation.stop_reason,
    }
