"""A clone of the course in miniature: the real setup code on packages of a few bytes, without a network.

The packages come from a folder that pip is pointed to by its own settings, as a user with a mirror does it.
"""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]

_PYPROJECT = """\
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]

[project]
name = "understanding-ai-models"
version = "0.1.0"
"""

#: A build backend that makes the clone importable: what hatchling does for the real one.
_BACKEND = """\
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).parent / "wheels"))
from make_wheel import make_wheel

def build_editable(folder, config_settings=None, metadata_directory=None):
    files = {"clone.pth": str(pathlib.Path(__file__).parent)}
    return make_wheel(pathlib.Path(folder), "understanding_ai_models", "0.1.0", files).name
"""

_LLAMA = """\
def llama_backend_init():
    pass
"""

_TORCH = """\
class ones:
    def __init__(self, n):
        pass

    def __matmul__(self, other):
        return self
"""


def make_wheel(
    folder: Path, name: str, version: str, files: dict[str, str | bytes], needs: tuple[str, ...] = ()
) -> Path:
    """A wheel with `files` (path → content) and a correct RECORD, which needs the packages `needs`."""
    info = f"{name}-{version}.dist-info"
    requires = "".join(f"Requires-Dist: {need}\n" for need in needs)
    contents = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{requires}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = ""
    contents = {path: item.encode() if isinstance(item, str) else item for path, item in contents.items()}
    for path, data in contents.items():
        found = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        record += f"{path},sha256={found},{len(data)}\n"
    wheel = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, data in contents.items():
            archive.writestr(path, data)
        archive.writestr(f"{info}/RECORD", record + f"{info}/RECORD,,\n")
    return wheel


class MiniClone:
    """The folder, and the command that sets it up."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.wheels = root / "wheels"
        self.requirements = root / "requirements"
        for folder in (self.wheels, self.requirements):
            folder.mkdir(parents=True)
        labkit = root / "labkit"
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(REPOSITORY / "labkit" / "installing", labkit / "installing", ignore=ignore)
        for name in ("__init__.py", "bootstrap.py", "errors.py", "limits.py", "lab_overrides.json"):
            shutil.copy(REPOSITORY / "labkit" / name, labkit / name)
        shutil.copy(__file__, self.wheels / "make_wheel.py")
        (root / "pyproject.toml").write_text(_PYPROJECT)
        (root / "backend.py").write_text(_BACKEND)
        self.lock("pip.lock", self.this_pip())
        self.lock(
            "llama-cpp.lock", make_wheel(self.wheels, "llama_cpp_python", "1.0", {"llama_cpp.py": _LLAMA})
        )
        self.lock("lab.lock", self.package("alpha", "1.0"))
        self.lock("test.lock", self.package("alpha", "1.0"), self.package("beta", "1.0"))
        self.lock("build.lock")
        self.sources = [self.wheels]
        self.lock("train.lock", self.torch("2.0"), *map(self.package, ("nvidia_all", "gguf"), ("1.0", "1.0")))
        (self.requirements / "train.in").write_text("# why\ntorch==2.0\ngguf>=1\n")

    def this_pip(self) -> Path:
        """The pip that runs here, made into a wheel again: the one that comes with Python may be too old."""
        pip = metadata.distribution("pip")
        code = [file for file in pip.files or [] if file.parts[0] == "pip" and file.suffix != ".pyc"]
        files = {file.as_posix(): Path(str(file.locate())).read_bytes() for file in code}
        return make_wheel(self.wheels, "pip", pip.version, files)

    def package(self, name: str, version: str) -> Path:
        return make_wheel(
            self.wheels, name, version, {f"{name}/__init__.py": f"version = '{version}'\n" * 50}
        )

    def torch(self, version: str, folder: Path | None = None, code: str = _TORCH) -> Path:
        """A PyTorch in miniature: the index's own build brings NVIDIA's libraries, a local one does not."""
        needs = () if "+" in version else ("nvidia-all",)
        return make_wheel(folder or self.wheels, "torch", version, {"torch/__init__.py": code}, needs)

    def lock(self, name: str, *wheels: Path | str) -> None:
        """Write a lock file that names these wheels."""
        lines = []
        for wheel in map(Path, wheels):
            package, version = wheel.name.split("-")[:2]
            digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
            lines.append(f"{package.replace('_', '-')}=={version} \\\n    --hash=sha256:{digest}\n")
        (self.requirements / name).write_text("".join(lines))

    def command(self, *arguments: str) -> list[str]:
        return [getattr(sys, "_base_executable", sys.executable), "-m", "labkit.bootstrap", *arguments]

    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTHON"))}
        kept.update(
            PIP_NO_INDEX="1", PIP_FIND_LINKS=" ".join(map(str, self.sources)), PIP_CONFIG_FILE=os.devnull
        )
        kept.update(PIP_NO_CACHE_DIR="1")
        kept.pop("CMAKE_ARGS", None)
        return kept

    def set_up(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments),
            cwd=self.root,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=300,
        )

    def python(self, code: str) -> str:
        """What the environment's Python prints."""
        python = self.root / ".venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        result = subprocess.run(
            [str(python), "-c", code], capture_output=True, text=True, cwd=self.root.parent
        )
        assert result.returncode == 0, result.stderr
        return result.stdout.strip()
