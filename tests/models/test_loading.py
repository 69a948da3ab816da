"""Loading and using a model; and everything that would take a kernel down."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from labkit.errors import LabError
from labkit.limits import default_threads
from labkit.models import child_check, loading, memory_check
from labkit.models.download import local_model
from labkit.models.loading import Model, close_all_models, load_model
from tests.benchmarks.mutated_gguf import run as run_mutants


@pytest.fixture(scope="module")
def model(small_model: object) -> Model:
    with load_model(small_model, context=1024, threads=1) as loaded:
        yield loaded


@pytest.fixture
def noise(random_model: object) -> Model:
    with load_model(random_model, context=256, threads=1) as loaded:
        yield loaded


def test_text_to_tokens_and_back(model: Model) -> None:
    text = "The capital of France is Paris. Größe 世界"
    tokens = model.tokenize(text)
    assert b"".join(model.piece_bytes(token) for token in tokens).decode() == text
    assert model.pieces("The capital") == ["The", " capital"]
    assert model.tokenize("") == []


def test_special_tokens_are_read_only_on_request(model: Model) -> None:
    assert len(model.tokenize("<|im_start|>", special=True)) == 1
    assert len(model.tokenize("<|im_start|>")) > 1


def test_next_token_knows_paris(model: Model) -> None:
    best = model.next_token("The capital of France is", top=5)
    assert best[0].piece == " Paris" and best[0].probability > 0.5
    assert len(best) == 5 and sum(token.probability for token in best) <= 1
    assert [t.probability for t in best] == sorted((t.probability for t in best), reverse=True)


def test_greedy_answers_are_always_the_same(model: Model) -> None:
    first = model.generate("Name three colours.", max_tokens=16)
    pieces: list[str] = []
    second = model.generate("Name three colours.", max_tokens=16, on_text=pieces.append)
    assert first.text == second.text == "".join(pieces)
    assert first.used_chat_template and "<|im_start|>user\nName three colours.<|im_end|>" in first.prompt
    assert first.tokens == 16 and first.stop_reason == "max_tokens"
    assert 0 < first.time_to_first_token_s <= first.seconds and first.tokens_per_s > 0
    assert first.prompt_tokens == len(model.tokenize(first.prompt, special=True))


def test_agrees_with_llama_cpp_pythons_own_class(model: Model) -> None:
    from llama_cpp import Llama

    theirs = Llama(str(model.file.path), n_ctx=1024, n_threads=1, flash_attn=True, verbose=False)
    try:
        completion = theirs("Once upon a time", max_tokens=12, temperature=0)
    finally:
        theirs.close()
    ours = model.generate("Once upon a time", max_tokens=12, chat=False)
    assert ours.text == completion["choices"][0]["text"]
    assert not ours.used_chat_template


def test_seed_decides_at_higher_temperatures(model: Model) -> None:
    texts = [model.generate("Tell a story.", 12, temperature=1.0, seed=seed).text for seed in (1, 1, 2)]
    assert texts[0] == texts[1] != texts[2]


def test_model_ends_its_answer_itself(model: Model) -> None:
    generation = model.generate("Say only the word yes.", max_tokens=200)
    assert generation.stop_reason == "end" and generation.tokens < 200


def test_buffers_agree_with_arithmetic(model: Model) -> None:
    header = model.header
    kv_bytes = model.context * header.n_layers * header.n_kv_heads * header.head_dim * 2 * 2
    assert model.buffers["kv_bytes"] == pytest.approx(kv_bytes, abs=20_000)
    assert model.buffers["model_bytes"] == pytest.approx(header.tensor_bytes, rel=0.01)
    assert model.buffers["compute_bytes"] > 0


def test_context_that_fills_up(noise: Model) -> None:
    generation = noise.generate("x" * 200, max_tokens=1000, chat=False)
    assert generation.stop_reason == "context"
    assert generation.prompt_tokens + generation.tokens == noise.context
    assert noise.generate("x", max_tokens=3, chat=False).tokens == 3


def test_random_weights_are_labelled_everywhere(noise: Model) -> None:
    generation = noise.generate("hello", max_tokens=40)
    assert generation.random_weights and "RANDOM" in repr(generation) and "RANDOM" in repr(noise)
    assert generation.text.isprintable()


def test_closed_model_is_a_sentence(random_model: object) -> None:
    model = load_model(random_model, context=256)
    model.close()
    model.close()
    uses = [
        lambda: model.generate("x"),
        lambda: model.next_token("x"),
        lambda: model.tokenize("x"),
        lambda: model.pieces("x"),
        lambda: model.ctx_p,
        lambda: model.model_p,
        lambda: model.__enter__(),
        lambda: model.decode([1]),
        lambda: model.logits(),
        lambda: model.is_end(0),
    ]
    for use in uses:
        with pytest.raises(LabError, match="is closed"):
            use()
    assert "closed" in repr(model)


def test_closing_all(random_model: object) -> None:
    close_all_models()
    models = [load_model(random_model, context=256) for _ in range(3)]
    told = close_all_models()
    assert all(model.closed for model in models)
    assert told == f"Closed 3 models: {models[0].file.label}."
    assert close_all_models() == "No model was open."


def test_closing_in_one_thread_while_another_writes(random_model: object) -> None:
    model = load_model(random_model, context=256, threads=1)
    ends: list[str] = []

    def write() -> None:
        try:
            for _ in range(50):
                model.generate("abc", max_tokens=20, chat=False)
            ends.append("done")
        except LabError as error:
            ends.append(error.what)

    thread = threading.Thread(target=write)
    thread.start()
    threading.Event().wait(0.1)
    model.close()
    thread.join(30)
    assert ends and ("closed" in ends[0] or ends[0] == "done")


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda m: m.generate("x" * 400), "The prompt has .* the context holds 256"),
        (lambda m: m.next_token("x" * 400), "The prompt has"),
        (lambda m: m.generate("x", max_tokens=0), "asks for no text"),
        (lambda m: m.generate("x", temperature=-1), "temperature of -1"),
        (lambda m: m.generate("x", temperature=float("nan")), "temperature of nan"),
        (lambda m: m.piece_bytes(10**9), "no token 1000000000"),
        (lambda m: m.piece_bytes(-1), "no token -1"),
        (lambda m: m.decode([10**8]), "could not process|no token"),
    ],
)
def test_wrong_use_is_a_sentence(noise: Model, call: object, expected: str) -> None:
    with pytest.raises(LabError, match=expected) as caught:
        call(noise)
    assert caught.value.cure
    assert noise.generate("x", max_tokens=2, chat=False).tokens == 2


@pytest.mark.parametrize("context", [0, -5, 2.5, "many", True])
def test_odd_contexts(random_model: object, context: object) -> None:
    with pytest.raises(LabError, match="is not possible"):
        load_model(random_model, context=context)


def test_context_that_does_not_fit(small_model: object) -> None:
    with pytest.raises(LabError, match="KV cache") as caught:
        load_model(small_model, context=500_000_000)
    assert "tokens fit" in caught.value.cure


def test_suggested_context_really_fits(small_model: object, monkeypatch: pytest.MonkeyPatch) -> None:
    free = 400 * 2**20
    monkeypatch.setattr(memory_check, "memory_available_bytes", lambda: free)
    with pytest.raises(LabError) as caught:
        load_model(small_model, context=20_000)
    suggested = int(caught.value.cure.split("about ")[1].split(" ")[0].replace(",", ""))
    with load_model(small_model, context=suggested) as model:
        used = model.buffers["kv_bytes"] + model.buffers["compute_bytes"] + model.buffers["output_bytes"]
        assert 0.5 * free < used < free


def test_context_beyond_training_is_noted(random_model: object) -> None:
    with load_model(random_model, context=4096) as model:
        assert any("trained on 2,048 tokens" in note for note in model.notes)


def test_names_paths_and_nonsense(random_model: object, tmp_path: Path) -> None:
    for wrong in ("smollm", tmp_path / "none.gguf", "./none.gguf", 42, None):
        with pytest.raises(LabError):
            load_model(wrong)
    with load_model(str(random_model.path), context=256) as model:
        assert model.file.source == "local"


def test_changed_file_is_not_trusted(random_model: object, tmp_path: Path) -> None:
    copy = tmp_path / "copy.gguf"
    shutil.copyfile(random_model.path, copy)
    file = local_model(copy)
    data = bytearray(copy.read_bytes())
    data[-1000] ^= 0x55
    copy.write_bytes(bytes(data))
    with pytest.raises(LabError, match="has changed since"):
        load_model(file, context=256)


def test_unknown_file_is_tried_in_a_child_once(
    random_model: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "mine.gguf"
    data = bytearray(random_model.path.read_bytes())
    data[-1] ^= 0x01
    copy.write_bytes(bytes(data))
    monkeypatch.setattr("labkit.models.trust._TICK_NS", -(10**12))
    calls: list[Path] = []
    real = child_check.check_in_child
    monkeypatch.setattr(loading, "check_in_child", lambda path, **k: (calls.append(path), real(path, **k)))
    for _ in range(2):
        load_model(copy, context=256).close()
    assert calls == [copy]
    data[-2] ^= 0x01
    copy.write_bytes(bytes(data))
    load_model(copy, context=256).close()
    assert calls == [copy, copy]


def test_child_that_aborts_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.gguf"
    path.write_bytes(b"GGUF")
    for status, stderr, expected in [
        (-6, "ggml.c:1: GGML_ASSERT(n > 0) failed", r"crashed on it, SIGABRT.*GGML_ASSERT"),
        (-11, "", "crashed on it, SIGSEGV"),
        (-9, "", "more memory than there is"),
        (1, "std::bad_alloc", "asks for more memory"),
        (3, "boom", r"status 3 \(boom\)"),
    ]:
        monkeypatch.setattr(
            child_check.subprocess,
            "run",
            lambda *a, s=status, e=stderr, **k: subprocess.CompletedProcess(a, s, stdout="", stderr=e),
        )
        with pytest.raises(LabError, match=expected):
            child_check.check_in_child(path)


def test_reason_comes_from_llama_cpps_log(tmp_path: Path, random_model: object) -> None:
    data = random_model.path.read_bytes()
    odd = tmp_path / "odd.gguf"
    odd.write_bytes(data.replace(b"output_norm.weight", b"outputXnorm.weight"))
    with pytest.raises(LabError, match="tensor 'output_norm.weight'"):
        load_model(odd, context=256)


def test_nothing_is_printed(random_model: object) -> None:
    code = (
        "import sys; from labkit.models.loading import load_model\n"
        "with load_model(sys.argv[1], context=256, threads=1) as m: m.generate('a', max_tokens=3)\n"
        "try: load_model(sys.argv[1], context=10**9)\n"
        "except Exception as error: assert 'KV cache' in str(error), error\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(random_model.path)], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_memory_is_freed(small_model: object) -> None:
    import psutil

    def resident_private() -> int:
        info = psutil.Process().memory_info()
        return info.rss - getattr(info, "shared", 0)

    load_model(small_model, context=1024).close()
    before = resident_private()
    for _ in range(3):
        model = load_model(small_model, context=1024, threads=1)
        model.generate("a", max_tokens=2)
        model.close()
    assert resident_private() - before < 60 * 2**20


@pytest.mark.slow
def test_damaged_files_never_kill_the_kernel() -> None:
    tally = run_mutants(60, seed=11)
    assert not tally.bad, str(tally)
    assert tally.ends.total() == 60 and tally.ends["sentence"] > 20


def test_a_tiny_model_gets_one_thread_unless_told_otherwise(random_model, small_model):
    with load_model(random_model, context=256) as tiny, load_model(small_model, context=256) as small:
        assert (tiny.threads, small.threads) == (1, default_threads())
    with load_model(random_model, context=256, threads=2) as told:
        assert told.threads == 2
