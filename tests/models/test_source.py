"""SOURCE in all its forms, and the nonsense that people and networks put in its place."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest

from labkit.errors import LabError
from labkit.models.gguf_names import choose_gguf, part_names, quant_in_name
from labkit.models.model_file import ModelFile
from labkit.models.source import blueprint_of, open_source
from tests.hub_server import COMMIT, HTML, Fault, HubServer

LLAMA = {
    "model_type": "llama",
    "architectures": ["LlamaForCausalLM"],
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 512,
    "max_position_embeddings": 2048,
    "rms_norm_eps": 1e-5,
    "rope_theta": 10000.0,
    "tie_word_embeddings": False,
}
#: two tables of 512 x 64; in each of 2 layers Q, O 64 x 64, K, V 64 x 32, three times 64 x 128, two norms
PARAMETERS = 2 * 512 * 64 + 2 * (2 * 64 * 64 + 2 * 64 * 32 + 3 * 64 * 128 + 2 * 64) + 64
REPO = "someone/small-model-GGUF"


@pytest.fixture
def gguf_bytes(random_model: ModelFile) -> bytes:
    return random_model.path.read_bytes()


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> HubServer:
    with HubServer() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        yield server


# ---------------------------------------------------------------- on this machine


def test_mapping_file_and_folder_give_the_same(tmp_path: Path) -> None:
    folder = tmp_path / "Some-Model"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(LLAMA), encoding="utf-8-sig")
    (folder / "model.safetensors").write_bytes(b"never read")
    for source in (
        LLAMA,
        folder,
        str(folder),
        folder / "config.json",
        str(folder / "config.json"),
        folder / "model.safetensors",
        blueprint_of(LLAMA),
    ):
        assert blueprint_of(source).parameters == PARAMETERS
    assert open_source(folder).title == "Some-Model"


def test_gguf_file_and_what_fetch_gives(random_model: ModelFile) -> None:
    source = open_source(random_model.path)
    assert source.kind == "file header" and source.file_bytes == random_model.path.stat().st_size
    assert source.quantization == "F32" or source.quantization
    assert open_source(random_model).blueprint.parameters == source.blueprint.parameters > 0


def test_split_file_is_read_as_a_whole(tmp_path: Path, gguf_bytes: bytes) -> None:
    (tmp_path / "whole").mkdir()
    whole = blueprint_of(_write(tmp_path / "whole" / "whole.gguf", gguf_bytes))
    first, second = _split(gguf_bytes)
    one = _write(tmp_path / "m-00001-of-00002.gguf", first)
    with pytest.raises(LabError, match=r"m-00002-of-00002\.gguf is not beside it"):
        open_source(one)
    two = _write(tmp_path / "m-00002-of-00002.gguf", second)
    for part in (one, two, tmp_path):
        source = open_source(part)
        assert [t.name for t in source.blueprint.tensors] == [t.name for t in whole.tensors]
        assert source.blueprint.parameters == whole.parameters
        assert source.file_bytes == len(first) + len(second)
        assert "2 parts" in source.read


def test_the_pocket_models_are_known_by_name() -> None:
    from labkit.models.catalogue import catalogue
    from labkit.models.embedded import pocket_models

    assert pocket_models()
    for name in pocket_models():
        found = open_source(f" {name.upper()} ")
        assert found.kind == "file header" and 0 < found.blueprint.parameters < 6e6
        assert name in repr(catalogue())
    with pytest.raises(LabError) as caught:
        open_source("pocket-bas")
    assert "Did you mean pocket-base" in caught.value.cure


def test_catalogue_name_reads_the_file_in_the_cache(small_model: ModelFile, model_cache: Path) -> None:
    source = open_source("SmolLM2-135M-Instruct-Q4_1")
    assert source.path == small_model.path and source.quantization == "Q4_1"
    assert source.blueprint.parameters == 134_515_008
    assert source.entry is not None and source.entry.licence == "apache-2.0"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("smollm2-135m-instruct", "Did you mean smollm2-135m-instruct-q4_1"),
        ("smolm2-360m-instruct-q8_0", "Did you mean smollm2-360m-instruct-q8_0"),
        ("completely different", "labkit models"),
        ("x" * 10_000, "no model called"),
        ("", "No model was named"),
        ("a\0b", "No model was named"),
        ("./nowhere.gguf", "There is no file"),
        ("nowhere/config.json", "There is no file"),
    ],
)
def test_wrong_names_get_near_misses(name: str, expected: str) -> None:
    with pytest.raises(LabError) as caught:
        open_source(name)
    assert expected in str(caught.value) and len(str(caught.value)) < 600


@pytest.mark.parametrize("what", [None, 5, b"model", ["llama"], object()])
def test_other_kinds_of_objects(what: object) -> None:
    with pytest.raises(LabError):
        open_source(what)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (HTML, "web page"),
        (b"", "not readable as JSON"),
        (b"[1, 2]", "no configuration of a model, but a list"),
        (b"{", "not readable as JSON"),
        (b"\xff\xfe\x00", "not readable as JSON"),
        (b"[" * 100_000, "not readable as JSON"),
        (b'{"a": ' + b"9" * 10_000 + b"}", "not readable as JSON"),
        (b" " * (16 * 2**20 + 1), "no configuration is"),
    ],
)
def test_config_that_is_none(tmp_path: Path, content: bytes, expected: str) -> None:
    path = _write(tmp_path / "config.json", content)
    with pytest.raises(LabError, match=expected):
        open_source(path)


def test_folders_without_a_model(tmp_path: Path, gguf_bytes: bytes) -> None:
    with pytest.raises(LabError, match="neither"):
        open_source(tmp_path)
    for name in ("a.gguf", "b.gguf"):
        _write(tmp_path / name, gguf_bytes)
    with pytest.raises(LabError, match="holds 2 GGUF files"):
        open_source(tmp_path)
    weights = _write(tmp_path / "model.safetensors", b"x")
    with pytest.raises(LabError, match=r"no config\.json beside it"):
        open_source(weights)


def test_gguf_that_claims_a_terabyte(tmp_path: Path) -> None:
    claim = b"GGUF" + struct.pack("<IQQ", 3, 10**9, 10**9)
    path = _write(tmp_path / "huge.gguf", claim + bytes(200))
    with pytest.raises(LabError, match="claims 1,000,000,000 tensors"):
        open_source(path)


# ---------------------------------------------------------------- on the hub


def test_hub_repository_reads_only_the_header(hub: HubServer, gguf_bytes: bytes) -> None:
    padded = gguf_bytes + bytes(8_000_000)
    hub.add(REPO, "model.Q8_0.gguf", padded, claimed_bytes=10**12)
    source = open_source(REPO)
    assert source.kind == "file header" and source.file_bytes == 10**12
    assert hub.bytes_sent <= 2**21 < len(padded)
    assert all(asked.headers["range"].startswith("bytes=") for asked in hub.gets() if "resolve" in asked.path)
    assert "model.Q8_0.gguf in someone/small-model-GGUF" in source.read


def test_header_larger_than_the_first_piece(hub: HubServer) -> None:
    content = _with_long_vocabulary(3_000_000) + bytes(2_000_000)
    hub.add(REPO, "model.gguf", content, claimed_bytes=len(content) + 10**9)
    source = open_source(f"{REPO}:model.gguf")
    assert [t.name for t in source.blueprint.tensors] == ["token_embd.weight"]
    starts = [asked.range_start for asked in hub.gets()]
    assert starts == [0, 2**20, 2**21]  # each piece once, none twice


def test_server_that_ignores_ranges(hub: HubServer, gguf_bytes: bytes) -> None:
    hub.add(REPO, "model.gguf", gguf_bytes + bytes(30_000_000))
    hub.faults = [Fault(ignore_range=True, methods=("GET",))]
    assert open_source(f"{REPO}:model.gguf").blueprint.parameters > 0


def test_header_that_never_ends(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("labkit.models.gguf.HEADER_LIMIT_BYTES", 2**21)
    monkeypatch.setattr("labkit.models.hub_header.HEADER_LIMIT_BYTES", 2**21)
    key = b"tokenizer.ggml.tokens"
    claim = b"GGUF" + struct.pack("<IQQQ", 3, 1, 1, len(key)) + key + struct.pack("<IQ", 8, 10**12)
    hub.add(REPO, "model.gguf", claim + bytes(5_000_000), claimed_bytes=2 * 10**12)
    with pytest.raises(LabError, match="header is larger than"):
        open_source(f"{REPO}:model.gguf")
    assert hub.bytes_sent <= 2**22


def test_among_several_files_the_wanted_quantization_is_read(hub: HubServer, gguf_bytes: bytes) -> None:
    for quant in ("Q2_K", "Q4_K_M", "Q8_0"):
        hub.add(REPO, f"model-{quant}.gguf", gguf_bytes)
    hub.add(REPO, "mmproj-model-f16.gguf", b"no model")
    assert "model-Q4_K_M.gguf" in open_source(REPO).read
    assert "model-Q8_0.gguf" in open_source(REPO, quant="q8_0").read
    assert "model-Q2_K.gguf" in open_source(f"{REPO}:Q2_K").read
    assert "model-Q8_0.gguf" in open_source(f"{REPO}@main:model-Q8_0.gguf").read
    assert "model-Q2_K.gguf" in open_source(f"https://huggingface.co/{REPO}/blob/main/model-Q2_K.gguf").read


def test_repository_with_a_split_file(hub: HubServer, gguf_bytes: bytes) -> None:
    first, second = _split(gguf_bytes)
    hub.add(REPO, "Q4_K_M/m-Q4_K_M-00001-of-00002.gguf", first)
    hub.add(REPO, "Q4_K_M/m-Q4_K_M-00002-of-00002.gguf", second)
    source = open_source(REPO)
    assert source.file_bytes == len(first) + len(second)
    assert source.blueprint.parameters > 0


def test_repository_with_a_configuration_only(hub: HubServer) -> None:
    hub.add("someone/Small-Model", "config.json", json.dumps(LLAMA).encode())
    hub.add("someone/Small-Model", "model.safetensors", b"never read")
    source = open_source("someone/Small-Model")
    assert source.kind == "configuration" and source.title == "Small-Model"
    assert source.blueprint.parameters == PARAMETERS
    assert not any("safetensors" in asked.path for asked in hub.asked)


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault(status=403, error_code="GatedRepo"), "gated"),
        (Fault(status=401, error_code="RepoNotFound"), "without an account"),
        (Fault(status=404, error_code="RevisionNotFound"), "has no revision"),
        (Fault(status=500), "fault of its own"),
        (Fault(status=429, headers={"Retry-After": "77"}), "too many requests"),
        (Fault(html=True), "Something else than the hub|could not be asked"),
    ],
    ids=str,
)
def test_refusals_are_sentences(hub: HubServer, gguf_bytes: bytes, fault: Fault, expected: str) -> None:
    hub.add(REPO, "model.gguf", gguf_bytes)
    for source in (REPO, f"{REPO}:model.gguf"):
        hub.faults = [fault]
        with pytest.raises(LabError, match=expected) as caught:
            open_source(source)
        assert caught.value.cure
        hub.faults = []
        assert open_source(source).blueprint.parameters > 0


def test_hub_that_has_other_things(hub: HubServer) -> None:
    hub.add("someone/pictures", "README.md", b"pictures")
    with pytest.raises(LabError, match="neither a GGUF file nor"):
        open_source("someone/pictures")
    with pytest.raises(LabError, match="404|without an account"):
        open_source("nobody/nothing")
    with pytest.raises(LabError, match=r"has no file gone\.gguf"):
        open_source("someone/pictures:gone.gguf")
    hub.add(REPO, "page.gguf", HTML)
    with pytest.raises(LabError, match="web page"):
        open_source(f"{REPO}:page.gguf")
    hub.add(REPO, "empty.gguf", b"")
    with pytest.raises(LabError, match="empty"):
        open_source(f"{REPO}:empty.gguf")
    hub.add(REPO, "cut.gguf", b"GGUF\x03\0\0\0", claimed_bytes=10**9)
    with pytest.raises(LabError, match="ended the connection"):
        open_source(f"{REPO}:cut.gguf")


def test_offline_is_obeyed(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(LabError, match="HF_HUB_OFFLINE is set"):
        open_source(REPO)
    assert hub.asked == []


def test_what_is_in_the_hubs_cache_needs_no_hub(
    hub: HubServer, gguf_bytes: bytes, monkeypatch: pytest.MonkeyPatch, isolated_home: Path
) -> None:
    from huggingface_hub import hf_hub_download

    hub.add(REPO, "model-Q8_0.gguf", gguf_bytes)
    hub.add(REPO, "model-Q4_K_M.gguf", gguf_bytes)
    cache = isolated_home / "hub" / "hub"
    hf_hub_download(REPO, "model-Q8_0.gguf", cache_dir=cache, endpoint=hub.url)
    hub.add("someone/Small-Model", "config.json", json.dumps(LLAMA).encode())
    hf_hub_download("someone/Small-Model", "config.json", cache_dir=cache, endpoint=hub.url)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    for name in (REPO, f"{REPO}@main", f"{REPO}@{COMMIT}", f"{REPO}:model-Q8_0.gguf"):
        source = open_source(name)
        assert source.blueprint.parameters > 0 and "in the hub's cache" in source.read
    assert open_source("someone/Small-Model").title == "Small-Model"
    for name in (f"{REPO}:model-Q4_K_M.gguf", f"{REPO}@other", "someone/else"):
        with pytest.raises(LabError, match="HF_HUB_OFFLINE is set"):
            open_source(name)


def test_token_goes_to_the_hub_and_not_to_the_storage_behind_it(
    hub: HubServer, gguf_bytes: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    hub.add(REPO, "model.gguf", gguf_bytes)
    with HubServer() as storage:
        storage.add(REPO, "model.gguf", gguf_bytes)
        hub.redirect_to = storage.url.replace("127.0.0.1", "localhost")
        assert open_source(REPO).blueprint.parameters > 0
        assert all("hf_secret" in asked.headers["authorization"] for asked in hub.asked)
        assert storage.gets() and not any("authorization" in asked.headers for asked in storage.asked)


# ---------------------------------------------------------------- names


def test_names_of_files() -> None:
    assert quant_in_name("SmolLM2-135M-Instruct.Q4_1.gguf") == "Q4_1"
    assert quant_in_name("gpt-oss-20b-mxfp4.gguf") == "MXFP4"
    assert quant_in_name("model-bf16-q6_k.gguf") == "Q6_K"
    assert quant_in_name("IQ4_XS/m-IQ4_XS-00001-of-00002.gguf") == "IQ4_XS"
    assert quant_in_name("model.gguf") == ""
    assert part_names("m-00002-of-00003.gguf") == [f"m-0000{n}-of-00003.gguf" for n in (1, 2, 3)]
    assert part_names("m.gguf") == ["m.gguf"]
    for odd in ("m-00004-of-00003.gguf", "m-00001-of-99999.gguf", "m-00000-of-00003.gguf"):
        with pytest.raises(LabError, match="says that it is part"):
            part_names(odd)
    assert choose_gguf(["README.md", "mmproj.gguf"], None) == ""
    assert choose_gguf(["b-Q2_K.gguf", "a-odd-name.gguf"], None) == "b-Q2_K.gguf"


# ---------------------------------------------------------------- files for the tests


def _write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def _string(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def _gguf(pairs: list[bytes], tensors: list[tuple[str, tuple[int, ...]]]) -> bytes:
    """A GGUF file of F32 zeros."""
    out = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(pairs)) + b"".join(pairs)
    offset = 0
    for name, shape in tensors:
        out += _string(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, 0, offset)
        n_bytes = 4
        for length in shape:
            n_bytes *= length
        offset += -(-n_bytes // 32) * 32
    return out + bytes(-len(out) % 32) + bytes(offset)


def _with_long_vocabulary(n_bytes: int) -> bytes:
    tokens = b"".join(_string("x" * 992) for _ in range(n_bytes // 1000))
    pairs = [
        _string("general.architecture") + struct.pack("<I", 8) + _string("llama"),
        _string("tokenizer.ggml.tokens") + struct.pack("<IIQ", 9, 8, n_bytes // 1000) + tokens,
    ]
    return _gguf(pairs, [("token_embd.weight", (64, 8))])


def _split(content: bytes) -> tuple[bytes, bytes]:
    """The two parts of a file, as llama-gguf-split would name the tensors: the first holds the metadata."""
    from labkit.models.gguf import read_gguf_header

    header = read_gguf_header(content)
    shapes = [(t.name, t.shape) for t in header.tensors]
    architecture = header.architecture
    pairs = [_string("general.architecture") + struct.pack("<I", 8) + _string(architecture)]
    number = _string("split.no") + struct.pack("<IH", 2, 1)
    return _gguf(pairs, shapes[:3]), _gguf([number], shapes[3:])
