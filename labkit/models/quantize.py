"""Quantizing a model file with llama.cpp's own quantizer, as `llama-quantize` does. Taught in chapter 5.

The bytes are those that `llama-quantize` of the same llama.cpp writes. It runs in a process of its own, since
it takes all cores for a while and stops the whole process on some odd files.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from labkit import limits
from labkit.child_process import run_child
from labkit.errors import LabError
from labkit.estimating.gguf_encoding import file_bytes
from labkit.estimating.quant_mixtures import MIXTURES
from labkit.estimating.quantization import needs_importance_matrix, quantization_name, quantized
from labkit.models.gguf import GGUFHeader, read_gguf_header
from labkit.models.gguf_names import part_names
from labkit.models.loading import as_model_file
from labkit.models.made_files import MARGIN_BYTES, MadeFiles, part_path
from labkit.models.model_file import ModelFile
from labkit.models.native import engine_name
from labkit.models.storage import free_bytes
from labkit.models.trust import file_sha256
from labkit.progress_bar import ProgressBar
from labkit.units import format_bytes

__all__ = ["QUANTIZED", "forget_quantized", "quantize", "quantize_all"]

#: where they are kept
QUANTIZED = MadeFiles("quantized", "quantized file", "quantized files", "LABKIT_QUANTIZED_SPACE")
_UNQUANTIZED = ("F64", "F32", "F16", "BF16")


def quantize(
    source: ModelFile | str | Path,
    quant: str,
    out: str | os.PathLike[str] | None = None,
    *,
    allow_requantize: bool = False,
    show_progress: bool = True,
) -> ModelFile:
    """A quantized copy of a model file: byte for byte what `llama-quantize` makes.

    Parameters
    ----------
    source : a model file, a catalogue name or a path; best of weights in F16, BF16 or F32.
    quant : the quantization, as `llama-quantize` names it, such as "Q4_K_M".
    out : write this file, or into this folder. None: into labkit's cache, where it is made only once.
    allow_requantize : take weights that are quantized already. They lose twice.

    Raises LabError for an unknown name, for one that needs an importance matrix, when the weights are
    quantized already, when the disk is full, and when llama.cpp refuses the file. An interrupt leaves no
    half-written file. Taught in chapter 5.
    """
    job = _Job.of(source, allow_requantize)
    name = quantization_name(quant)
    if out is None:
        return _in_cache(job, [name], show_progress)[0]
    job.check(name)
    path = job.chosen_path(Path(out).expanduser(), name)
    _require_disk_space(path.parent, job.result_bytes(name))
    _run(job, {name: path}, show_progress)
    return job.result(path, name, file_sha256(path))


def quantize_all(
    source: ModelFile | str | Path, quants: Sequence[str], *, show_progress: bool = True
) -> list[ModelFile]:
    """As `quantize` into the cache, for several quantizations at once: one process makes what is missing."""
    return _in_cache(_Job.of(source, False), [quantization_name(quant) for quant in quants], show_progress)


def forget_quantized(*, everywhere: bool = False) -> str:
    """Removes the quantized files in the cache that this notebook used; returns a sentence about it.

    `everywhere` removes those of other notebooks and of earlier sessions too. Taught in chapter 5.
    """
    return QUANTIZED.forget(everywhere=everywhere)


@dataclass(frozen=True)
class _Job:
    """A source, and what is asked of it."""

    file: ModelFile
    header: GGUFHeader
    parts: list[Path]
    allow_requantize: bool

    @classmethod
    def of(cls, source: ModelFile | str | Path, allow_requantize: bool) -> _Job:
        file = as_model_file(source)
        parts = [file.path.with_name(name) for name in part_names(file.path.name)]
        return cls(file, read_gguf_header(file.path), parts, allow_requantize)

    @property
    def n_bytes(self) -> int:
        """Of the source, all its parts."""
        return sum(part.stat().st_size for part in self.parts if part.exists())

    def check(self, name: str) -> None:
        """Raises LabError for what llama.cpp would refuse, before anything is written."""
        stored = self.header.blueprint()
        if needs_importance_matrix(stored, name):
            raise LabError(
                f"{name} of this model needs an importance matrix: a measurement of which weights matter.",
                "Choose a quantization that does without, such as Q4_K_M, Q3_K_M or Q2_K.",
            )
        wanted = {spec.name: spec.type_name for spec in quantized(stored, name).tensors}
        changing = {t.type_name for t in stored.tensors if t.type_name != wanted[t.name]}
        again = sorted(changing.difference(_UNQUANTIZED))
        if again and not self.allow_requantize:
            raise LabError(
                f"The weights of {self.file.name} are quantized already ({', '.join(again)}). Quantized "
                "again, they lose twice, and the result is worse than the same quantization of the original.",
                "Start from a file in F16, BF16 or F32. If you want to see the loss, ask for it: "
                "`allow_requantize=True`, or --allow-requantize.",
            )

    def result_bytes(self, name: str) -> int:
        """Bytes of the file that will be written."""
        return file_bytes(quantized(self.header.blueprint(), name))

    def key(self, name: str) -> str:
        """Twelve digits that stand for the source's bytes, the quantization and the quantizer."""
        digest = hashlib.sha256(f"{name} {self.allow_requantize} {engine_name()}".encode())
        for part in self.parts:
            try:
                digest.update(bytes.fromhex(file_sha256(part)))
            except OSError as error:
                raise LabError(
                    f"{part} cannot be read: {error.strerror or error}.", "Fetch the model again."
                ) from error
        return digest.hexdigest()[:12]

    def stem(self, name: str) -> str:
        return f"{self.file.name}-{name}"

    def chosen_path(self, path: Path, name: str) -> Path:
        """The file to write, from what a caller gave. It replaces nothing but an earlier result."""
        path = (path / f"{self.stem(name)}.gguf" if path.is_dir() else path).absolute()
        if path.exists() and not self._is_earlier_result(path, name):
            raise LabError(
                f"{path} exists, and it is not {name} of {self.file.name}.",
                "Choose another name, or remove it first.",
            )
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LabError(
                f"The folder {path.parent} cannot be made: {error.strerror or error}.", "Choose another one."
            ) from error
        return path

    def _is_earlier_result(self, path: Path, name: str) -> bool:
        try:
            there = read_gguf_header(path)
        except LabError:
            return False
        same = all(
            there.metadata.get(key) == self.header.metadata.get(key)
            for key in ("general.architecture", "general.name")
        )
        made_of_it = {t.name for t in there.tensors} == {t.name for t in self.header.tensors}
        right_type = there.metadata.get("general.file_type") == MIXTURES[name].file_type
        return same and made_of_it and right_type and not path.samefile(self.file.path)

    def result(self, path: Path, name: str, sha256: str) -> ModelFile:
        return ModelFile(
            self.stem(name),
            path,
            sha256,
            path.stat().st_size,
            "quantized",
            self.file.random_weights,
            twin_of=self.file.twin_of,
        )


def _in_cache(job: _Job, names: list[str], show_progress: bool) -> list[ModelFile]:
    """The quantized files from the cache; those that are not there are made, all in one process."""
    for name in names:
        job.check(name)
    folder = QUANTIZED.folder()
    paths = {name: folder / f"{job.stem(name)}-{job.key(name)}.gguf" for name in names}
    with _only_writer(list(paths.values()), show_progress):
        known = {name: QUANTIZED.recorded_sha256(path) for name, path in paths.items()}
        missing = {name: path for name, path in paths.items() if not known[name]}
        if missing:
            n_bytes = sum(job.result_bytes(name) for name in missing)
            for path in missing.values():
                path.unlink(missing_ok=True)  # damaged or of unknown origin
            QUANTIZED.room_for(n_bytes, keep=paths.values()).make()
            _require_disk_space(folder, n_bytes)
            _run(job, missing, show_progress)
        for name, path in missing.items():
            known[name] = file_sha256(path, fresh=True)
            QUANTIZED.record(path, known[name])
        return [job.result(paths[name], name, known[name]) for name in names]


@contextmanager
def _only_writer(paths: list[Path], show_progress: bool) -> Iterator[None]:
    """Holds all the paths; in one order for everyone, so that no two programs wait for each other."""
    with ExitStack() as stack:
        for path in sorted(set(paths)):
            stack.enter_context(QUANTIZED.only_writer(path, show_progress))
        yield


def _run(job: _Job, targets: dict[str, Path], show_progress: bool) -> None:
    """Lets llama.cpp write the files. Each is at its path whole, or not at all."""
    order = {
        "source": str(job.file.path),
        "source_bytes": job.n_bytes,
        "targets": [
            {"path": str(path), "file_type": MIXTURES[name].file_type} for name, path in targets.items()
        ],
        "threads": limits.cores_allowed(),
        "allow_requantize": job.allow_requantize,
    }
    title = f"Quantizing {job.file.name} to {', '.join(targets)}"
    with ProgressBar(None, "tensor", title, show=show_progress) as bar:
        try:
            run_child("labkit.models._quantize_child", order, lambda done, of, text: bar.set(done, total=of))
        finally:
            for path in targets.values():
                part_path(path).unlink(missing_ok=True)
        made = format_bytes(sum(path.stat().st_size for path in targets.values()))
        in_all = " in all" if len(targets) > 1 else ""
        bar.close(f"{title}: done, {made}{in_all} from {format_bytes(job.n_bytes)}")


def _require_disk_space(folder: Path, needed_bytes: int) -> None:
    """Raises LabError when the disk of `folder` can't take the file."""
    free = free_bytes(folder)
    if free is not None and free < needed_bytes + MARGIN_BYTES:
        raise LabError(
            f"The quantized file takes {format_bytes(needed_bytes)}, but the disk that holds {folder} has "
            f"{format_bytes(free)} free.",
            "Free some space, or write it to another disk: `out=`, or the variable LABKIT_CACHE.",
        )
