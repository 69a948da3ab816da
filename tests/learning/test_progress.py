"""Progress survives several kernels, kills, damage, read-only homes and full disks."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from labkit.learning import progress as module
from labkit.learning.exercise import check
from labkit.learning.filesystem import _linux_mounts, _mac_mounts, file_system_type, is_network_path
from labkit.learning.progress import chapter_progress, events, progress, record_event, take_notice
from labkit.learning.progress_store import Event, ProgressStore
from labkit.learning.quiz import quiz

WRITER = """
import sys
from labkit.learning.progress import record_event, take_notice
who, count = sys.argv[1], int(sys.argv[2])
print("ready", flush=True)
sys.stdin.readline()
for number in range(count):
    record_event("exercise", f"ch19-{who}", item=str(number), verdict="correct")
    print(number, flush=True)
print(take_notice(), flush=True)
"""


def start_writer(who: str, count: int) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, who, str(count)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def go(writers: list[subprocess.Popen]) -> None:
    for writer in writers:
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        writer.stdin.write("\n")
        writer.stdin.flush()


def test_four_kernels_write_at_once_from_the_first_event_on(own_home):
    writers = [start_writer(str(n), 50) for n in range(4)]
    go(writers)
    outputs = [writer.communicate(timeout=120)[0].split("\n") for writer in writers]
    assert [output[-2:] for output in outputs] == [["", ""]] * 4  # no notice
    kept = events()
    assert len(kept) == 200
    for n in range(4):
        assert [e.item for e in kept if e.name == f"ch19-{n}"] == [str(i) for i in range(50)]
    assert list(own_home.glob("*damaged*")) == []


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
def test_a_kill_loses_nothing_that_was_recorded():
    chance = random.Random(19)
    told: dict[str, list[str]] = {}
    for round_number in range(6):
        writers = [start_writer(f"{round_number}-{n}", 10_000) for n in range(2)]
        go(writers)
        time.sleep(chance.uniform(0.05, 0.4))
        for n, writer in enumerate(writers):
            writer.send_signal(signal.SIGKILL)
            told[f"ch19-{round_number}-{n}"] = writer.communicate()[0].split("\n")[:-1]
    kept = events()
    assert sum(map(len, told.values())) > 20
    for name, numbers in told.items():
        written = [e.item for e in kept if e.name == name]
        # The last one may have been committed without having been told.
        assert written[: len(numbers)] == numbers
        assert len(written) <= len(numbers) + 1
    with closing(sqlite3.connect(module.store().path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_local_disk_has_a_write_ahead_log_and_a_network_disk_has_not(tmp_path, monkeypatch):
    for network, expected in ((False, "wal"), (True, "delete")):
        monkeypatch.setattr("labkit.learning.progress_store.is_network_path", lambda _, n=network: n)
        # The same file: a home that moved to a network disk is changed over.
        store = ProgressStore(tmp_path / "progress.sqlite")
        store.record(Event("exercise", "ch19-x"))
        with closing(sqlite3.connect(store.path)) as connection:
            assert connection.execute("PRAGMA journal_mode").fetchone() == (expected,)
    assert len(ProgressStore(tmp_path / "progress.sqlite").events()) == 2


@pytest.mark.parametrize("damage", ["not a database", "cut", "middle", "empty page"])
def test_a_damaged_file_is_kept_aside_and_a_new_one_started(tmp_path, damage):
    path = tmp_path / "progress.sqlite"
    store = ProgressStore(path)
    for n in range(20):
        store.record(Event("exercise", "ch19-x", data={"n": n, "text": "x" * 3000}))
    whole = path.read_bytes()
    broken = {
        "not a database": b"hello, I am a text" * 100,
        "cut": whole[: len(whole) // 2 + 100],
        "middle": whole[:8192] + bytes(8192) + whole[16384:],
        "empty page": bytes(100) + whole[100:],
    }[damage]
    path.write_bytes(broken)
    store = ProgressStore(path)
    assert store.events() == []
    store.record(Event("exercise", "ch19-new"))
    assert [e.name for e in store.events()] == ["ch19-new"]
    assert [e.name for e in ProgressStore(path).events()] == ["ch19-new"]
    kept = list(tmp_path.glob("progress-damaged-*.sqlite"))
    assert len(kept) == 1 and kept[0].read_bytes() == broken
    notice = store.take_notice()
    assert "was damaged" in notice and kept[0].name in notice
    assert store.take_notice() == ""


def test_a_file_that_is_damaged_under_a_running_kernel_loses_no_new_event(tmp_path):
    path = tmp_path / "progress.sqlite"
    store = ProgressStore(path)
    store.record(Event("exercise", "ch19-old"))
    path.write_bytes(b"overwritten by something else" * 500)
    for name in ("ch19-a", "ch19-b"):
        store.record(Event("exercise", name))
    assert [e.name for e in ProgressStore(path).events()] == ["ch19-a", "ch19-b"]


def test_an_empty_file_is_a_new_database(tmp_path):
    (tmp_path / "progress.sqlite").touch()
    store = ProgressStore(tmp_path / "progress.sqlite")
    store.record(Event("exercise", "ch19-x"))
    assert len(ProgressStore(store.path).events()) == 1
    assert store.take_notice() == ""


def test_a_home_that_cannot_be_made_keeps_progress_in_memory_and_says_so_once(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path / "file" / "home"))
    name = "ch19-three-and-three"
    assert "kept in memory" in repr(check(name, None))
    assert "kept in memory" not in repr(check(name, None))
    assert len(events("exercise", name)) == 2


@pytest.mark.skipif(
    shutil.which("bwrap") is None, reason="bubblewrap is not installed: no read-only file system"
)
def test_a_read_only_home_can_be_read_and_keeps_new_progress_in_memory(own_home):
    record_event("exercise", "ch19-before", verdict="correct")
    code = (
        "from labkit.learning.progress import *\n"
        "record_event('exercise', 'ch19-now')\n"
        "print([e.name for e in events()])\n"
        "print(take_notice())\n"
    )
    command = ["bwrap", "--ro-bind", "/", "/", "--dev", "/dev", sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("['ch19-before', 'ch19-now']\n")
    assert "kept in memory until the kernel stops. Set LABKIT_HOME" in done.stdout
    assert [e.name for e in events()] == ["ch19-before"]


def test_a_full_disk_keeps_the_event_until_there_is_room(tmp_path):
    resource = pytest.importorskip("resource")
    code = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from labkit.learning.progress_store import Event, ProgressStore\n"
        "store = ProgressStore(Path(sys.argv[1]) / 'progress.sqlite')\n"
        "store.record(Event('exercise', 'ch19-a'))\n"
        "soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1, hard))\n"
        "store.record(Event('exercise', 'ch19-b', data={'text': 'x' * 10000}))\n"
        "assert [e.name for e in store.events()] == ['ch19-a', 'ch19-b'], store.events()\n"
        "print(store.take_notice(), file=sys.stderr)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))\n"
        "store.record(Event('exercise', 'ch19-c'))\n"
        "assert [e.name for e in store.events()] == ['ch19-a', 'ch19-b', 'ch19-c']\n"
    )
    assert resource.RLIMIT_FSIZE
    # A pipe has no size limit: the notice goes there.
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert "kept in memory" in done.stderr
    kept = [e.name for e in ProgressStore(tmp_path / "progress.sqlite").events()]
    assert kept == ["ch19-a", "ch19-b", "ch19-c"]


def test_a_file_of_a_newer_version_is_left_alone(tmp_path):
    path = tmp_path / "progress.sqlite"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA user_version = 99")
        connection.execute("CREATE TABLE future (x)")
    before = path.read_bytes()
    store = ProgressStore(path)
    store.record(Event("exercise", "ch19-x"))
    assert [e.name for e in store.events()] == ["ch19-x"]
    assert "newer version" in store.take_notice()
    assert path.read_bytes() == before


def test_a_locked_file_delays_but_does_not_lose(tmp_path, monkeypatch):
    monkeypatch.setattr("labkit.learning.progress_store._BUSY_SECONDS", 0.2)
    store = ProgressStore(tmp_path / "progress.sqlite")
    store.record(Event("exercise", "ch19-a"))
    blocker = sqlite3.connect(store.path, isolation_level=None)
    blocker.execute("BEGIN EXCLUSIVE")
    store.record(Event("exercise", "ch19-b"))
    assert "Another kernel is busy" in store.take_notice()
    blocker.execute("ROLLBACK")
    blocker.close()
    store.record(Event("exercise", "ch19-c"))
    assert [e.name for e in ProgressStore(store.path).events()] == ["ch19-a", "ch19-b", "ch19-c"]


def test_odd_data_is_stored_or_dropped_but_never_raises(tmp_path):
    store = ProgressStore(tmp_path / "progress.sqlite")
    knot: dict = {}
    knot["self"] = knot
    for data in ({"x": object()}, {"x": "y" * 10**6}, knot, {"x": float("nan")}, {"x": "\ud800"}):
        store.record(Event("exercise", "ch19-x", data=data))
    assert len(ProgressStore(store.path).events()) == 5


# ---------------------------------------------------------------- the table


def test_the_chapters_count_what_was_ever_correct(tmp_path, monkeypatch):
    monkeypatch.setenv("LABKIT_DATASETS", str(tmp_path))
    (tmp_path / "quizzes").mkdir()
    (tmp_path / "chapters.csv").write_text("number,slug,title,minutes\n19,open,Open vs Closed Weights,15\n")
    questions = [
        {"id": f"q{n}", "question": "?", "type": "string", "answers": [{"answer": "yes", "correct": True}]}
        for n in range(3)
    ]
    quiz(questions).save(tmp_path / "quizzes" / "ch19-sample.json")
    assert "not started" in repr(progress())
    the_quiz = quiz("ch19-sample")
    the_quiz.answer(1, "yes")
    the_quiz.answer(1, "no")
    the_quiz.answer(2, "no")
    record_event("quiz", "ch19-sample", item="gone", verdict="correct")  # a question that no longer exists
    record_event("exercise", "ch19-hours-and-cost", verdict="correct", points=4)
    record_event("exercise", "ch19-hours-and-cost", verdict="not yet")
    (row,) = [chapter for chapter in chapter_progress() if chapter.chapter == 19]
    assert row.title == "Open vs Closed Weights"
    assert (row.exercises_solved, row.exercises_total) == (1, 2)
    assert (row.questions_right, row.questions_total) == (1, 3)
    assert (row.points, row.points_total) == (4, 10)
    assert row.state == "started"
    shown = progress()
    assert "1 of 2" in repr(shown) and "<caption" in shown._repr_html_() and "4 of 10" in repr(shown)
    assert list(shown.to_frame()["questions_right"])[-1] == 1


def test_asking_for_progress_makes_no_file(own_home):
    assert events() == []
    assert chapter_progress()
    assert not own_home.exists()
    assert take_notice() == ""


# ---------------------------------------------------------------- file systems

MOUNTS = """\
/dev/sda1 / ext4 rw 0 0
overlay /srv overlay rw 0 0
server:/home /home nfs4 rw 0 0
server:/x /home/with\\040space nfs rw 0 0
tmpfs /home/me/tmp tmpfs rw 0 0
me@host: /mnt/ssh fuse.sshfs rw 0 0
//nas/share /mnt/nas cifs rw 0 0
/dev/sdb1 /mnt/usb fuseblk rw 0 0
tmpfs /again tmpfs rw 0 0
server:/again /again nfs rw 0 0
"""


@pytest.mark.parametrize(
    ("path", "kind", "network"),
    [
        ("/etc/x", "ext4", False),
        ("/srv/course", "overlay", False),
        ("/home/me/.local", "nfs4", True),
        ("/home/with space/me", "nfs", True),
        ("/home/me/tmp/x", "tmpfs", False),
        ("/homeless", "ext4", False),
        ("/mnt/ssh/x", "fuse.sshfs", True),
        ("/mnt/nas", "cifs", True),
        ("/mnt/usb/x", "fuseblk", False),
        ("/again/x", "nfs", True),
    ],
)
@pytest.mark.skipif(os.name == "nt", reason="these are POSIX paths")
def test_the_mount_table_tells_the_file_system(path, kind, network, monkeypatch):
    monkeypatch.setattr(Path, "resolve", lambda self: self)  # none of these paths need to exist
    found = file_system_type(Path(path), _linux_mounts(MOUNTS))
    assert found == kind
    from labkit.learning.filesystem import _is_network

    assert _is_network(found) is network


def test_mac_mounts_are_read(monkeypatch):
    text = (
        "/dev/disk3s1s1 on / (apfs, sealed, local)\n"
        "//me@nas/share on /Volumes/my share (smbfs, nodev, nosuid)\n"
    )
    done = subprocess.CompletedProcess([], 0, text, "")
    monkeypatch.setattr("labkit.learning.filesystem.subprocess.run", lambda *a, **k: done)
    assert _mac_mounts() == [("/", "apfs"), ("/Volumes/my share", "smbfs")]


def test_this_machine_gives_an_answer(tmp_path):
    assert is_network_path(tmp_path) in (True, False)
    assert is_network_path(tmp_path / "not" / "there") in (True, False)
