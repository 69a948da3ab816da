"""Published GGUF files: what a file takes beyond its tensors is its header, the same for all its siblings."""

from __future__ import annotations

from collections import Counter, defaultdict
from functools import cache

import pytest

from labkit import facts
from labkit.estimating.blueprint import Blueprint
from labkit.estimating.config import blueprint_from_config
from labkit.estimating.file_size import file_size
from labkit.estimating.quantization import QUANTIZATIONS, quantized
from labkit.models.catalogue import catalogue

ROWS = facts.gguf_sizes()
#: header strings differ a little between siblings: names of files, a key more or less
HEADERS_DIFFER = 1024

_by_repo: dict[str, list[facts.GGUFSize]] = defaultdict(list)
for _row in ROWS:
    _by_repo[_row.repo].append(_row)
REPOS = {repo: rows for repo, rows in _by_repo.items() if sum(r.same_rules == "yes" for r in rows) > 1}


@cache
def blueprint(architecture: str) -> Blueprint:
    return blueprint_from_config(facts.find_architecture(architecture).config())


def beyond_the_tensors(row: facts.GGUFSize) -> int:
    """Bytes of the file less the bytes of its tensors, each padded to 32."""
    tensors = quantized(blueprint(row.architecture), row.quantization).tensors
    return row.bytes - sum(-(-t.n_bytes // 32) * 32 for t in tensors)


@pytest.mark.parametrize("repo", REPOS)
def test_siblings_have_the_same_header(repo: str) -> None:
    same = [beyond_the_tensors(row) for row in REPOS[repo] if row.same_rules == "yes"]
    assert min(same) > 500_000 and max(same) < 20_000_000
    assert max(same) - min(same) <= HEADERS_DIFFER


@pytest.mark.parametrize("repo", REPOS)
def test_files_made_by_other_rules_are_marked(repo: str) -> None:
    header = next(beyond_the_tensors(row) for row in REPOS[repo] if row.same_rules == "yes")
    for row in REPOS[repo]:
        if row.same_rules == "no":
            assert row.note and abs(beyond_the_tensors(row) - header) > HEADERS_DIFFER, row


def test_lone_files_have_a_plausible_header() -> None:
    for row in ROWS:
        if row.same_rules == "yes":
            assert 500_000 < beyond_the_tensors(row) < 20_000_000, row


def test_estimates_from_config_json_are_within_a_thousandth() -> None:
    for row in ROWS:
        if row.same_rules == "yes":
            size = file_size(quantized(blueprint(row.architecture), row.quantization))
            assert size.low <= row.bytes <= size.high, row
            assert abs(size.bytes - row.bytes) <= row.bytes / 1000, row


def test_the_table_is_large_and_mostly_comparable() -> None:
    marks = Counter(row.same_rules for row in ROWS)
    assert len(ROWS) >= 250 and marks["yes"] >= 200 and marks["unknown"] <= 10
    assert len({row.architecture for row in ROWS}) >= 30
    assert len({(row.repo, row.filename) for row in ROWS}) == len(ROWS)
    assert {row.quantization for row in ROWS} <= set(QUANTIZATIONS)


def test_the_catalogue_agrees() -> None:
    """Where both tables have a file, they give its size alike; and the catalogue counts as the facts do."""
    sizes = {(row.repo, row.filename): row for row in ROWS}
    both = [entry for entry in catalogue() if (entry.repo, entry.filename) in sizes]
    assert len(both) >= 10
    for entry in both:
        row = sizes[entry.repo, entry.filename]
        assert (entry.bytes, entry.architecture) == (row.bytes, row.architecture), entry.name
        assert entry.quantization == row.quantization, entry.name


def test_the_catalogue_names_architectures() -> None:
    known = {row.id: row for row in facts.architectures()}
    for entry in catalogue():
        row = known[entry.architecture]
        assert entry.parameters == row.parameters, entry.name
        assert row.licence == entry.licence, entry.name
