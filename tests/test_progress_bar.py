"""The progress bar in a notebook, a terminal and a log."""

from __future__ import annotations

import io
import os
import subprocess
import sys

import nbformat
import pytest
from nbclient import NotebookClient

from labkit.progress_bar import ProgressBar


def test_notebook_keeps_one_output_in_its_final_state() -> None:
    code = (
        "import time; from labkit.progress_bar import ProgressBar\n"
        "with ProgressBar(100, 'B', 'Fetching <it>') as bar:\n"
        "    for _ in range(10): bar.update(10); bar.message('half & half'); time.sleep(0.03)\n"
        "    bar.close('It is here.')\n"
    )
    stopped = "bar = ProgressBar(100, 'B', 'Fetching <it>')\nbar.update(50)\nbar.stop('The hub went away.')"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in (code, stopped)])
    NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    (done,) = notebook.cells[0].outputs
    assert "It is here." in done["data"]["text/html"] and "<progress" not in done["data"]["text/html"]
    assert done["data"]["text/plain"] == "It is here."
    (halted,) = notebook.cells[1].outputs
    page = halted["data"]["text/html"]
    assert 'aria-label="Fetching &lt;it&gt;"' in page and 'value="0.5000"' in page and "went away" in page


def test_log_gets_whole_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    with ProgressBar(3, "step", "Measuring") as bar:
        for _ in range(3):
            bar.update()
        bar.message("nearly")
    lines = stream.getvalue().splitlines()
    assert lines[0] == "Measuring ..." and lines[1] == "Measuring: nearly" and "done in" in lines[2]


def test_an_exception_never_shows_as_done(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    with pytest.raises(KeyboardInterrupt), ProgressBar(10, "step", "Measuring"):
        raise KeyboardInterrupt
    assert "done" not in stream.getvalue() and "stopped" in stream.getvalue()


def test_hidden_bar_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressBar(10, show=False) as bar:
        bar.update(10)
    assert capsys.readouterr() == ("", "")
    assert bar.fraction == 1.0


@pytest.mark.skipif(os.name == "nt", reason="needs a pseudo-terminal")
def test_terminal_shows_a_bar() -> None:
    import pty

    main, other = pty.openpty()
    code = (
        "from labkit.progress_bar import ProgressBar\nimport time\n"
        "with ProgressBar(2**20, 'B', 'Fetching') as bar:\n"
        "    time.sleep(0.6); bar.set(2**19); time.sleep(0.3); bar.close('Done.')"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stderr=other, stdin=other)
    os.close(other)
    process.wait(timeout=30)
    shown = os.read(main, 100_000).decode()
    os.close(main)
    assert "50%" in shown and "Fetching" in shown and shown.rstrip().endswith("Done.")
