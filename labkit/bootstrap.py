"""Set up the course: from a fresh clone to an environment that runs it.

    python3 -m labkit.bootstrap          (Windows: py -m labkit.bootstrap)

`make setup` runs this. It needs nothing but Python: it makes `.venv`, installs the packages of the lock
file with their hashes, compiles llama.cpp for this processor, and installs the clone itself. Finished steps
are remembered: a second run takes a moment, an interrupted one goes on where it stopped.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

MINIMUM_PYTHON = (3, 11)
ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ROOT / "requirements"

#: Free space to ask for before a first setup: the environment, the build of llama.cpp, the model.
NEEDED_BYTES = 3 * 10**9


def main(arguments: list[str] | None = None) -> int:
    """Run the setup. Returns the exit status: 0 done, 1 failed with a sentence, 130 interrupted."""
    given = sys.argv[1:] if arguments is None else arguments
    if sys.version_info < MINIMUM_PYTHON:
        return _run_with_newer_python(given)
    from labkit.errors import LabError

    signal.signal(signal.SIGTERM, _terminate)
    try:
        _set_up(_parse(given))
    except LabError as error:
        print(f"\n{error.what}\n{error.cure}".rstrip(), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped. Run the same command to go on: finished steps are kept.", file=sys.stderr)
        return 130
    except OSError as error:
        print(f"\nThe setup failed: {error}", file=sys.stderr)
        if error.errno == 28:  # ENOSPC
            print("Free about 3 GB on that disk, then run the same command again.", file=sys.stderr)
        return 1
    return 0


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="labkit.bootstrap", description=__doc__.splitlines()[0])
    parser.add_argument("--test", action="store_true", help="also what authors and the tests need")
    parser.add_argument("--train", action="store_true", help="also what training a model needs: PyTorch")
    parser.add_argument(
        "--gpu", metavar="KIND", help="llama.cpp for: cpu, cuda, metal, vulkan, hip, portable"
    )
    parser.add_argument("--prebuilt", action="store_true", help="take upstream's prebuilt llama.cpp")
    parser.add_argument(
        "--jobs", type=int, metavar="N", help="files to compile at once (default: cores allowed)"
    )
    parser.add_argument(
        "--into", type=Path, metavar="PREFIX", help="an existing environment instead of .venv"
    )
    return parser.parse_args(arguments)


def _set_up(options: argparse.Namespace) -> None:
    from labkit.installing.run import one_at_a_time

    with one_at_a_time(ROOT / "build" / "setup.lock") as lock:
        setup = Setup(options, lock)
        if setup.is_finished():
            print(f"Setup: nothing to do, {setup.environment.prefix.name} is complete ({setup.build}).")
            return
        setup.run()


class Setup:
    """The steps, in order. Each knows the key under which it is finished."""

    def __init__(self, options: argparse.Namespace, lock: int) -> None:
        from labkit.installing import environment, llama_build, steps

        self.options, self.lock = options, lock
        self.own_environment = options.into is None
        self.prefix = (ROOT / ".venv") if self.own_environment else options.into.resolve()
        self.log = ROOT / "build" / "setup.log"
        self.finished = steps.FinishedSteps(self.prefix)
        self.environment = environment.inspect(self.prefix)
        if not self.own_environment and self.environment is None:
            from labkit.errors import LabError

            raise LabError(f"There is no Python environment with pip in {self.prefix}.", "Check --into.")
        recorded = self.finished.get("llama.cpp") or {}
        self.build = llama_build.choose(options.gpu, options.prebuilt, recorded.get("build"))
        self.lock_file = REQUIREMENTS / ("test.lock" if options.test else "lab.lock")
        self.training = options.train or options.test  # training has tests as well

    # --- what is finished ---------------------------------------------------------------------------------

    def is_finished(self) -> bool:
        return self._environment_is_whole() and not any(
            (
                self._packages_missing(),
                self._llama_missing(),
                self._training_missing(),
                self._clone_missing(),
                self._bytecode_missing(),
            )
        )

    def _environment_is_whole(self) -> bool:
        """It works, lies where it was made (its scripts hold the path), and nobody took packages away."""
        if self.environment is None:
            return False
        made = self.finished.get("environment")
        if made is None:  # not made by this setup: by hand, or an image's own (--into)
            return self.environment.pip_works()
        return made == [str(self.prefix), self.environment.version]

    def _packages_missing(self) -> bool:
        kept = self.finished.get("packages") or {}
        wanted = kept.get(self.lock_file.stem) == self._packages_key(self.lock_file)
        there = set(kept.get("distributions", [])) <= self.environment.distributions()
        return not (wanted and there)

    def _packages_key(self, lock_file: Path) -> str:
        from labkit.installing.steps import digest

        return digest(lock_file, REQUIREMENTS / "pip.lock")

    def _llama_key(self) -> dict:
        from labkit.installing.steps import digest

        return {"build": self.build.to_dict(), "lock": digest(REQUIREMENTS / "llama-cpp.lock")}

    def _llama_missing(self) -> bool:
        there = any(name.startswith("llama_cpp_python-") for name in self.environment.distributions())
        return not there or self.finished.get("llama.cpp") != self._llama_key()

    def _training_missing(self) -> bool:
        from labkit.installing import training_packages

        kept = self.finished.get("training")
        return self.training and training_packages.are_missing(self.environment, kept, REQUIREMENTS)

    def _clone_key(self) -> str:
        from labkit.installing.steps import digest

        for_jupyterlab = sorted(
            path for path in (ROOT / "labkit" / "labextension").rglob("*") if path.is_file()
        )
        return digest(
            ROOT / "pyproject.toml", ROOT / "labkit" / "lab_overrides.json", *for_jupyterlab, str(ROOT)
        )

    def _clone_missing(self) -> bool:
        return self.finished.get("clone") != self._clone_key()

    def _bytecode_missing(self) -> bool:
        return self.finished.get("bytecode") is None

    # --- the steps ----------------------------------------------------------------------------------------

    def _title(self, step: str, detail: str = "") -> str:
        """`'[3/5] llama.cpp (cpu)'`: which of the steps it is, and its name."""
        training = ["PyTorch"] if self.training else []
        steps = ["Python environment", "Packages", "llama.cpp", *training, "labkit", "Bytecode"]
        return f"[{steps.index(step) + 1}/{len(steps)}] {step}{detail}"

    def run(self) -> None:
        self._preflight()
        self.log.parent.mkdir(exist_ok=True)
        self.log.write_text("", encoding="utf-8")
        if not self._environment_is_whole():
            self._make_environment()
        self.finished.finish("environment", [str(self.prefix), self.environment.version])
        if self._packages_missing():
            self._install_packages()
        if self._llama_missing():
            self._install_llama()
        if self._training_missing():
            self._install_training_packages()
        if self._clone_missing():
            self._install_clone()
        if self._bytecode_missing():
            self._compile_bytecode()
        print(f"The environment is complete: {self.prefix.name}, {self.build}.")

    def _preflight(self) -> None:
        """What would fail after minutes is better said now."""
        from labkit.errors import LabError
        from labkit.installing import compiler, llama_build

        new = not self._environment_is_whole()
        if new or self._llama_missing():
            if not self.build.prebuilt:
                print(f"Compiler: {compiler.find_compiler()}")
            llama_build.check_gpu_tools(self.build)
        if new or self._packages_missing():
            free = shutil.disk_usage(ROOT).free
            if free < NEEDED_BYTES:
                raise LabError(
                    f"The disk has {free / 1e9:.1f} GB free; the setup needs {NEEDED_BYTES / 1e9:.0f} GB.",
                    "Free some space, then run the same command again.",
                )

    def _make_environment(self) -> None:
        from labkit.installing import environment, steps
        from labkit.installing.console import StatusLine

        if os.path.lexists(self.prefix):
            print(f"The environment in {self.prefix.name} is incomplete, moved or broken: making it anew.")
            environment.remove(self.prefix)
        status = StatusLine(self._title("Python environment"))
        self.environment = environment.create(self.prefix)
        self.finished = steps.FinishedSteps(self.prefix)
        status.done(f"{self.prefix.name}, Python {self.environment.version}")

    def _install_packages(self) -> None:
        """pip first, in the version that the lock names; then everything in the lock file."""
        kept = self.finished.get("packages") or {}
        self.finished.forget("packages", "bytecode")
        self._remove_half_installed()
        options = ["--no-deps", "--no-compile", "--require-hashes"]
        title = self._title("Packages")
        self._pip(f"{title}: pip", ["install", *options, "-r", str(REQUIREMENTS / "pip.lock")])
        self._pip(title, ["install", *options, "-r", str(self.lock_file)])
        done = {self.lock_file.stem: self._packages_key(self.lock_file)}
        if self.options.test:  # the test lock holds everything that the lab lock holds, in the same versions
            done["lab"] = self._packages_key(REQUIREMENTS / "lab.lock")
        elif kept.get("lab") == done["lab"]:
            done = {**kept, **done}
        others = ("llama_cpp_python-", "understanding_ai_models-", "torch-")  # each of a step of its own
        training = set((self.finished.get("training") or {}).get("distributions", []))
        there = self.environment.distributions() - training
        names = sorted(name for name in there if not name.startswith(others))
        self.finished.finish("packages", {**done, "distributions": names})

    def _remove_half_installed(self) -> None:
        site_packages = str(self.environment.site_packages)
        command = [str(self.environment.python), "-m", "labkit.installing.repair", site_packages]
        result = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
        for name in result.stdout.split():
            print(f"    {name} was only half installed: it will be installed again")

    def _install_llama(self) -> None:
        """A step of its own, outside the hash lock of the packages: another build may take its place."""
        from labkit.installing import llama_build

        kept, record = self.finished.get("llama.cpp"), self._llama_record()
        self.finished.forget("llama.cpp", "bytecode")
        self._remove_half_installed()
        title = self._title("llama.cpp", f" ({self.build.variant})")
        jobs = str(llama_build.compile_jobs(self.options.jobs))
        extra = {"CMAKE_BUILD_PARALLEL_LEVEL": jobs, "CMAKE_ARGS": self.build.cmake_arguments}
        arguments = llama_build.pip_arguments(self.build, REQUIREMENTS)
        try:
            self._pip(title, ["install", *arguments], **extra)
        except BaseException:
            # pip removes the old build only when the new one is ready: most failures leave it as it was.
            self._remove_half_installed()
            if kept and record and record == self._llama_record():
                self.finished.finish("llama.cpp", kept)
            raise
        if self._llama_failure() and self.build.may_use_pip_cache and not self.build.prebuilt:
            # pip's cache may hold a build for another processor: a home folder that several machines share.
            print("    the cached build does not run here: compiling it for this computer")
            self._pip(title, ["install", "--no-cache-dir", *arguments], **extra)
        if problem := self._llama_failure():
            from labkit.errors import LabError

            raise LabError(f"llama.cpp is installed but does not run: {problem}", f"The log is in {self.log}")
        self.finished.finish("llama.cpp", self._llama_key())

    def _llama_record(self) -> bytes | None:
        """pip's list of the installed build's files and hashes."""
        found = next(self.environment.site_packages.glob("llama_cpp_python-*.dist-info/RECORD"), None)
        return found.read_bytes() if found else None

    def _llama_failure(self) -> str | None:
        """Load llama.cpp in a child process and let it compute a little. None when it works."""
        model = ROOT / "datasets" / "random" / "random-llama.gguf"
        command = [str(self.environment.python), "-m", "labkit.installing.try_llama", str(model)]
        result = subprocess.run(command, capture_output=True, text=True, errors="replace", cwd=ROOT)
        if result.returncode == 0:
            return None
        if result.returncode < 0:
            return f"it ended with signal {-result.returncode} ({signal.Signals(-result.returncode).name})"
        return (result.stderr.strip().splitlines() or [f"exit status {result.returncode}"])[-1]

    def _install_training_packages(self) -> None:
        """PyTorch in a step of its own: it is large, and which build is right depends on the computer."""
        from labkit.installing import training_packages

        kept = {**(self.finished.get("training") or {}), "key": None}
        self.finished.finish("training", kept)  # not finished, but which PyTorch is ours is not forgotten
        self.finished.forget("bytecode")
        self._remove_half_installed()
        done = training_packages.install(
            self.environment,
            REQUIREMENTS,
            kept,
            self._pip,
            title=self._title("PyTorch"),
            torch_is_a_must=self.options.train,
        )
        self.finished.finish("training", done)

    def _install_clone(self) -> None:
        """labkit itself, editable, with what pyproject.toml puts into the environment for JupyterLab."""
        self.finished.forget("clone")
        options = ["--no-deps", "--no-build-isolation", "--no-compile", "--editable", str(ROOT)]
        self._pip(self._title("labkit"), ["install", *options])
        self.finished.finish("clone", self._clone_key())

    def _compile_bytecode(self) -> None:
        """Once for all packages and on all cores, instead of at the first import of each."""
        from labkit.installing.llama_build import compile_jobs
        from labkit.installing.run import run_step

        # Not `-m compileall`: it fails when one file of a package is meant for another version of Python.
        code = (
            "import compileall, sys\n"
            f"for path in sys.argv[1:]: compileall.compile_dir(path, quiet=2, workers={compile_jobs(None)})"
        )
        folders = [str(self.environment.site_packages), str(ROOT / "labkit")]
        run_step(self._title("Bytecode"), [str(self.environment.python), "-c", code, *folders], self.log)
        self.finished.finish("bytecode", True)

    def _pip(self, title: str, arguments: list[str], **extra: str) -> None:
        from labkit.installing.run import child_environment, run_step

        command = [str(self.environment.python), "-m", "pip", *arguments]
        run_step(title, command, self.log, environment=child_environment(**extra), keep_fd=self.lock)


def _run_with_newer_python(arguments: list[str]) -> int:
    """`python3` is old: hand over to a newer one on the PATH, or say what to install."""
    for minor in range(20, MINIMUM_PYTHON[1] - 1, -1):
        newer = shutil.which(f"python3.{minor}")
        if newer:
            print(f"python3 is Python {sys.version.split()[0]}: going on with {newer}")
            sys.stdout.flush()
            return subprocess.call([newer, "-m", "labkit.bootstrap", *arguments])
    print(
        f"This is Python {sys.version.split()[0]}; the course needs Python 3.11 or newer.\n"
        "Install one (Debian, Ubuntu: sudo apt install python3.11 python3.11-venv; macOS: brew install\n"
        "python; or an installer from python.org), then run: make setup PYTHON=python3.11",
        file=sys.stderr,
    )
    return 1


def _terminate(number: int, frame: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
