"""A real JupyterLab in a real Chromium, for tests that click and type as a learner does.

`lab_server()` starts JupyterLab on a folder with settings, state and progress of its own;
`browser()` starts Chromium; `Lab` opens a notebook, runs it and reads what its kernel wrote.
Screenshots go to $LABKIT_SCREENSHOTS, or build/screenshots.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
#: The background flags keep Chromium from looking up its maker's hosts; the sandbox needs a normal user.
CHROMIUM_FLAGS = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]
START_SECONDS = 90
CELL_SECONDS = 180


def chromium_path() -> str | None:
    """$LABKIT_CHROMIUM, or a Chromium that is installed here."""
    override = os.environ.get("LABKIT_CHROMIUM")
    if override:
        return override
    for name in ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"):
        if path := shutil.which(name):
            return path
    return None


def require_chromium() -> str:
    """The path of Chromium; skips the test where there is none, and fails it under LABKIT_CI=1."""
    path = chromium_path()
    if path and Path(path).exists():
        return path
    reason = "no Chromium found: install it, or name it in LABKIT_CHROMIUM"
    if os.environ.get("LABKIT_CI") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def screenshots_dir() -> Path:
    folder = Path(os.environ.get("LABKIT_SCREENSHOTS") or REPOSITORY / "build" / "screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def lab_environment(state: Path, **extra: str) -> dict[str, str]:
    """The environment of a Lab that keeps settings, workspaces, state and progress below `state`."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("JUPYTER", "LABKIT_STRICT"))}
    for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"):
        env[name] = str(state / name.lower())
    env["JUPYTERLAB_SETTINGS_DIR"] = str(state / "lab-settings")
    env["JUPYTERLAB_WORKSPACES_DIR"] = str(state / "lab-workspaces")
    env["LABKIT_HOME"] = extra.pop("LABKIT_HOME", str(state / "labkit"))
    env["PYTHONPATH"] = os.pathsep.join(filter(None, [str(REPOSITORY), env.get("PYTHONPATH")]))
    env.update(extra)
    return env


def calm_settings(state: Path, theme: str = "JupyterLab Light") -> None:
    """No question about news, and the theme that a test asks for."""
    for plugin, settings in {
        "notification": {"fetchNews": "false", "checkForUpdates": False},
        "themes": {"theme": theme},
    }.items():
        folder = state / "lab-settings" / "@jupyterlab" / "apputils-extension"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{plugin}.jupyterlab-settings").write_text(json.dumps(settings))


@dataclass
class Server:
    """A running JupyterLab."""

    url: str  #: http://127.0.0.1:PORT/
    token: str
    root: Path
    process: subprocess.Popen[bytes]
    log: Path

    def api(self, path: str, method: str = "GET") -> Any:
        """Call Jupyter's REST API."""
        request = urllib.request.Request(
            f"{self.url}api/{path}", method=method, headers={"Authorization": f"token {self.token}"}
        )
        if method == "POST":
            request.data = b"{}"
        with urllib.request.urlopen(request, timeout=30) as reply:
            body = reply.read()
        return json.loads(body) if body else None


@contextlib.contextmanager
def lab_server(
    root: Path, state: Path, *, env: dict[str, str] | None = None, theme: str = "JupyterLab Light"
) -> Iterator[Server]:
    """JupyterLab on `root`, on a free port of 127.0.0.1, ended with its kernels at the end."""
    calm_settings(state, theme)
    runtime = state / "jupyter_runtime_dir"
    log = state / "lab.log"
    token = secrets.token_hex(16)
    arguments = [
        *("-m", "jupyterlab", "--no-browser", "--allow-root", "--port=0", "--ServerApp.port_retries=0"),
        f"--ServerApp.root_dir={root}",
        f"--IdentityProvider.token={token}",
        "--LabApp.expose_app_in_browser=True",
        "--LabApp.news_url=None",
    ]
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=root,
            env=env or lab_environment(state),
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield Server(_wait_for_url(process, runtime, token, log), token, root, process, log)
    finally:
        _stop(process)


def _wait_for_url(process: subprocess.Popen[bytes], runtime: Path, token: str, log: Path) -> str:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        for record in runtime.glob(f"jpserver-{process.pid}.json"):
            with contextlib.suppress(OSError, ValueError, KeyError, urllib.error.URLError):
                port = json.loads(record.read_text())["port"]
                url = f"http://127.0.0.1:{port}/"
                request = urllib.request.Request(
                    f"{url}api/status", headers={"Authorization": f"token {token}"}
                )
                urllib.request.urlopen(request, timeout=5).close()
                return url
        time.sleep(0.2)
    raise AssertionError(f"JupyterLab did not start:\n{log.read_text(errors='replace')[-3000:]}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    # The server shuts its kernels down on SIGTERM; whatever is left goes with its process group.
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(15)
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait(10)


@contextlib.contextmanager
def browser() -> Iterator[Any]:
    """A headless Chromium, as Playwright's Browser."""
    path = require_chromium()
    from playwright.sync_api import sync_playwright

    flags = list(CHROMIUM_FLAGS)
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        flags.append("--no-sandbox")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, headless=True, args=flags)
        try:
            yield chromium
        finally:
            chromium.close()


@dataclass
class Lab:
    """One browser page on one JupyterLab."""

    server: Server
    page: Any
    errors: list[str] = field(default_factory=list)  #: uncaught errors of the page
    outside: list[str] = field(default_factory=list)  #: requests that left this machine

    @classmethod
    def start(cls, server: Server, chromium: Any, *, height: int = 1000, width: int = 1300) -> Lab:
        page = chromium.new_page(viewport={"width": width, "height": height})
        page.set_default_timeout(20_000)
        lab = cls(server, page)
        page.on("pageerror", lambda error: lab.errors.append(str(error)))
        page.on("request", lambda request: lab._note(request.url))
        return lab

    def _note(self, url: str) -> None:
        address = urlparse(url)
        if address.scheme in ("http", "https", "ws", "wss") and address.hostname != "127.0.0.1":
            self.outside.append(url)

    def open(self, notebook: str) -> None:
        """Open a notebook and wait for its kernel to be idle."""
        self.page.goto(f"{self.server.url}lab/tree/{notebook}?reset&token={self.server.token}")
        self.page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=60_000)
        self._wait_for_kernel()

    def command(self, name: str) -> None:
        """Execute a command of JupyterLab and wait until it is done."""
        self.page.evaluate("async (name) => { await window.jupyterapp.commands.execute(name); }", name)

    def run_all(self, seconds: float = CELL_SECONDS) -> None:
        """Run every cell from the menu, as a learner does, and wait until the last one is done."""
        self.page.get_by_role("menuitem", name="Run", exact=True).click()
        self.page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        self.wait_done(seconds)

    def wait_done(self, seconds: float = CELL_SECONDS) -> None:
        """Wait until every code cell with source has run and the kernel is idle."""
        self.page.wait_for_function(
            """() => {
              const panel = window.jupyterapp.shell.currentWidget;
              const cells = [...panel.content.model.cells].filter(
                (cell) => cell.type === 'code' && cell.sharedModel.source.trim());
              return panel.sessionContext.session?.kernel?.status === 'idle'
                && cells.every((cell) => cell.executionState !== 'running' && cell.executionCount !== null);
            }""",
            timeout=seconds * 1000,
        )

    def sources(self) -> list[str]:
        """The source of every cell, as the notebook holds it now."""
        return self.page.evaluate(
            """() => [...window.jupyterapp.shell.currentWidget.content.model.cells]
                       .map((cell) => cell.sharedModel.source)"""
        )

    def cell(self, marker: str) -> Any:
        """The code cell whose source holds `marker`, scrolled into view."""
        index = next(i for i, source in enumerate(self.sources()) if marker in source)
        self.page.evaluate(
            """async (index) => {
              const content = window.jupyterapp.shell.currentWidget.content;
              content.activeCellIndex = index;
              await content.scrollToItem(index, 'start');
            }""",
            index,
        )
        cell = self.page.locator(f'.jp-Cell[data-windowed-list-index="{index}"]')
        cell.wait_for()
        return cell

    def output_kinds(self) -> list[list[str]]:
        """For each code cell, the kinds of its outputs, such as "execute_result" or "error"."""
        return self.page.evaluate(
            """() => [...window.jupyterapp.shell.currentWidget.content.model.cells]
                     .filter((cell) => cell.type === 'code')
                     .map((cell) => cell.outputs.toJSON().map((output) => output.output_type))"""
        )

    def form(self, title: str) -> Any:
        """The locator of a labkit form, found by its title as a screen reader finds it."""
        return self.page.get_by_role("group", name=title, exact=True)

    def restart_kernel(self) -> None:
        """Restart the kernel of the open notebook and wait for the new one."""
        self.page.evaluate(
            """async () => { await window.jupyterapp.shell.currentWidget.sessionContext.restartKernel(); }"""
        )
        self._wait_for_kernel()

    def _wait_for_kernel(self) -> None:
        self.page.wait_for_function(
            """() => {
              const panel = window.jupyterapp?.shell.currentWidget;
              return panel?.sessionContext?.session?.kernel?.status === 'idle';
            }""",
            timeout=60_000,
        )

    def evaluate_in_kernel(self, expression: str) -> str:
        """The text of a Python expression, evaluated in the notebook's kernel, outside of any cell."""
        return self.page.evaluate(
            """async (expression) => {
              const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
              const future = kernel.requestExecute({
                code: '', silent: true, store_history: false, user_expressions: {value: expression}});
              const reply = await future.done;
              const value = reply.content.user_expressions.value;
              if (value.status !== 'ok') throw new Error(JSON.stringify(value));
              return value.data['text/plain'].replace(/^'|'$/g, '');
            }""",
            expression,
        )

    def active_cell(self) -> int:
        """The index of the notebook's active cell."""
        return self.page.evaluate("() => window.jupyterapp.shell.currentWidget.content.activeCellIndex")

    def close(self) -> None:
        """Close the page without a question about unsaved changes."""
        self.page.close(run_before_unload=False)

    def save(self) -> None:
        """Save the open notebook."""
        self.command("docmanager:save")

    def shot(self, name: str, locator: Any = None) -> Path:
        """A screenshot of the page or of one element, for a person to look at."""
        path = screenshots_dir() / f"{name}.png"
        size = self.page.viewport_size
        tall = int(locator.bounding_box()["height"]) + 200 if locator else 0
        if tall > size["height"]:  # the notebook scrolls inside the page: what is out of view stays grey
            self.page.set_viewport_size({"width": size["width"], "height": tall})
            locator.scroll_into_view_if_needed()
        (locator or self.page).screenshot(path=str(path))
        self.page.set_viewport_size(size)
        return path


@contextlib.contextmanager
def chapter(server: Server, chromium: Any, notebook: str) -> Iterator[Lab]:
    """A chapter, run from top to bottom. In the end, JupyterLab must have complained about nothing."""
    lab = Lab.start(server, chromium, height=1400)
    lab.open(notebook)
    lab.run_all(seconds=600)
    yield lab
    assert lab.errors == []
    assert lab.outside == []
    lab.close()


def assert_clean(lab: Lab, notebook: str, look_at: Iterable[str]) -> None:
    """No cell ended in an error. Of the cells with these markers, screenshots are kept for one's own eyes."""
    kinds = lab.output_kinds()
    assert len(kinds) > 15
    assert not any("error" in cell for cell in kinds)
    for number, marker in enumerate(look_at):
        lab.shot(f"chapter{notebook[:2]}-{number}", lab.cell(marker))


def answer_anew(lab: Lab, start: str, answer: str) -> None:
    """Types an answer into the cell that begins with `start`, runs it, and the check below it."""
    lab.cell(start).locator(".cm-content").click()
    lab.page.keyboard.press("Control+a")
    lab.page.keyboard.insert_text(answer)
    lab.page.keyboard.press("Shift+Enter")
    lab.page.keyboard.press("Shift+Enter")


def write_notebook(path: Path, cells: list[str]) -> Path:
    """A notebook of code cells (a source that starts with `%%md` becomes Markdown)."""
    import nbformat

    notebook = nbformat.v4.new_notebook()
    for source in cells:
        if source.startswith("%%md"):
            notebook.cells.append(nbformat.v4.new_markdown_cell(source[4:].strip()))
        else:
            notebook.cells.append(nbformat.v4.new_code_cell(source))
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, path)
    return path
