"""A file that events are appended to: what it holds afterwards, and what it makes of places where it can't write."""

from __future__ import annotations

import fcntl
import json
import os
import resource
import socket
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from auditor.delivery import Later, Taken
from auditor.delivery.file import _append
from auditor.errors import UsageError
from auditor.history import Due, Event
from tests.delivery.conftest import Post, findings, made, names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from auditor.delivery import Receipt


def _due(number: int = 1, text: str = "") -> Due:
    body = json.dumps({"schema": "auditor.gap/1", "number": number, "text": text}).encode()
    return Due(number, Event(f"e{number}", "gap", body), "run-1", 0, None)


def _sent(path: Path, *batch: Due, between: Callable[[], object] = lambda: None) -> Receipt:
    """Return what the file makes of these events, the same for each.

    :param between: what happens between the opening of the destination and its first event.
    """

    async def send() -> Sequence[Receipt]:
        async with made("file", path=str(path)) as destination:
            between()
            return await destination.send(batch)

    receipts = anyio.run(send)
    assert len(receipts) == len(batch)
    (receipt,) = set(receipts)
    assert isinstance(receipt, (Taken, Later))
    return receipt


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def _numbers(path: Path) -> list[int]:
    return [line["number"] for line in _lines(path)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.jsonl"


async def test_one_run_after_another_is_appended_a_line_an_event(post: Post, path: Path) -> None:
    for count in (3, 2):
        post.fill(findings(count))
        report = await post.send(made("file", path=str(path)))
        assert (report.taken, report.fault) == (count, None)

    assert [line["resource_name"] for line in _lines(path)] == [*names(1, 3), *names(1, 2)]
    assert [line["status"] for line in _lines(path)] == ["new"] * 3 + ["recurring"] * 2


def test_it_is_its_owners_alone_unless_it_was_there(path: Path) -> None:
    _sent(path, _due())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600

    path.chmod(0o640)
    _sent(path, _due())
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_line_that_a_crash_broke_off_is_ended_before_the_next(path: Path) -> None:
    path.write_bytes(b'{"number":1}\n{"number":2,"te')

    assert _sent(path, _due(3)) == Taken()

    first, torn, third = path.read_bytes().splitlines()
    assert (first, torn) == (b'{"number":1}', b'{"number":2,"te')
    assert json.loads(third)["number"] == 3


def test_what_is_moved_or_emptied_meanwhile_is_begun_anew(path: Path) -> None:
    async def send() -> None:
        async with made("file", path=str(path)) as destination:
            await destination.send([_due(1)])
            await anyio.Path(path).rename(f"{path}.1")
            await destination.send([_due(2)])
            os.truncate(path, 0)
            await destination.send([_due(3)])

    anyio.run(send)

    assert _numbers(path.with_name("events.jsonl.1")) == [1]
    assert _numbers(path) == [3]


@pytest.mark.parametrize(
    ("place", "why"),
    [
        ("nowhere/events.jsonl", "No such file or directory"),
        ("a-file/events.jsonl", "Not a directory"),
    ],
)
async def test_a_place_that_is_not_there_keeps_the_events(
    post: Post, tmp_path: Path, place: str, why: str
) -> None:
    (tmp_path / "a-file").touch()
    post.fill(findings(2))

    report = await post.send(made("file", path=str(tmp_path / place)), seconds=0.5)

    assert (report.taken, report.left) == (0, 2)
    assert report.why is not None
    assert report.why.endswith(why)


def test_a_place_that_is_not_writable_keeps_the_events() -> None:
    # sysfs takes no file from anybody, where a folder's permissions would not keep root out.
    receipt = _sent(Path("/sys/kernel/auditor-events.jsonl"), _due())
    assert isinstance(receipt, Later)
    assert receipt.why.startswith("/sys/kernel/auditor-events.jsonl: ")


@pytest.fixture
def _small_files() -> Iterator[None]:
    """No file grows beyond 2,000 bytes: the rest of a write that crosses that is not taken, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.usefixtures("_small_files")
def test_a_disk_that_takes_a_part_has_nothing_of_it_afterwards(path: Path) -> None:
    assert _sent(path, _due(1)) == Taken()
    before = path.read_bytes()

    receipt = _sent(path, _due(2), _due(3, "x" * 4_000))

    assert isinstance(receipt, Later)
    assert receipt.why == f"{path}: File too large"
    assert path.read_bytes() == before
    assert _sent(path, _due(2)) == Taken()
    assert _numbers(path) == [1, 2]


def test_what_another_is_writing_to_waits(path: Path) -> None:
    path.touch()
    with path.open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        receipt = _sent(path, _due())
    assert receipt == Later(f"{path}: another process is writing to it")
    assert _sent(path, _due()) == Taken()


def test_what_holds_something_else_is_left_as_it_is(path: Path) -> None:
    path.write_bytes(b"SQLite format 3\0")

    receipt = _sent(path, _due())

    assert isinstance(receipt, Later)
    assert "holds something else than JSON lines" in receipt.why
    assert path.read_bytes() == b"SQLite format 3\0"


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


def _device(path: Path) -> None:
    path.symlink_to("/dev/null")


def _folder(path: Path) -> None:
    path.mkdir()


NO_FILES = {"a FIFO": _fifo, "a socket": _socket, "a device": _device, "a folder": _folder}


@pytest.mark.parametrize("what", NO_FILES)
def test_what_is_no_file_is_refused_before_the_run(path: Path, what: str) -> None:
    NO_FILES[what](path)
    with pytest.raises(UsageError, match=f"^destination siem: path {path} is {what}; name a file$"):
        made("file", path=str(path))


@pytest.mark.parametrize("what", NO_FILES)
def test_what_has_become_no_file_takes_nothing_and_holds_up_nobody(path: Path, what: str) -> None:
    receipt = _sent(path, _due(), between=lambda: NO_FILES[what](path))
    assert isinstance(receipt, Later)
    assert receipt.why.startswith(f"{path}")


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("events.jsonl", "should match pattern"),
        ("~/events.jsonl", "should match pattern"),
        ("/var/log/", "is no file's path from the root"),
        ("/var/log/a\nb", "holds what is invisible"),
        ("/var/log/a\0b", "holds what is invisible"),
    ],
)
def test_what_is_no_path_from_the_root_is_refused(path: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        made("file", path=path)


WRITER = """
import sys, time
from auditor.delivery.file import _append
path, name = sys.argv[1:]
line = '{"writer":"%s","text":"%s"}\\n' % (name, name * 300_000)
while True:
    _append(path, line.encode() * 3)
    print("appended", flush=True)
    time.sleep(0.001)  # the lock goes to whoever comes, and whoever has just had it comes first
"""


def test_two_that_write_at_once_and_are_killed_leave_one_broken_line_each_at_the_most(path: Path) -> None:
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(path), name], stdout=subprocess.PIPE)
        for name in "ab"
    ]
    for writer in writers * 5:
        assert writer.stdout is not None
        assert writer.stdout.readline()
    for writer in writers:
        writer.kill()
        writer.communicate()
    _append(str(path), b'{"writer":"last"}\n')

    lines = path.read_bytes().splitlines()
    whole = [line for line in lines if line.endswith(b"}")]
    assert len(lines) - len(whole) <= len(writers)
    assert {json.loads(line)["writer"] for line in whole} == {"a", "b", "last"}
    assert lines[-1] == b'{"writer":"last"}'
