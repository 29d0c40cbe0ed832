"""A file: JSON lines appended to it, for whatever carries files on, such as Filebeat, Fluent Bit or a forwarder."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from anyio import to_thread
from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from auditor.delivery.appending import FLAGS, append
from auditor.delivery.contract import Destination, Later, Limits, Taken
from auditor.delivery.forms import FreeForm
from auditor.errors import UsageError
from auditor.model import is_plain, shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auditor.config import Receiver
    from auditor.delivery.contract import Receipt
    from auditor.history import Due

_MEBIBYTE = 1024 * 1024
_AND_NOT_WAIT = os.O_NONBLOCK | os.O_NOCTTY
"""Lest what has become a FIFO, or a terminal, hold up the opening."""
_PRIVATE = 0o600
"""Findings tell where an organisation is weak; one who wants others to read the file makes it before."""
_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}


def _path(text: str) -> str:
    if not text.startswith("/") or text.endswith("/"):
        raise PydanticCustomError(
            "path", "is no file's path from the root, as /var/log/auditor/events.jsonl is"
        )
    if not is_plain(text):
        raise PydanticCustomError("path", "holds what is invisible; write a path without it")
    return text


class Settings(FreeForm):
    """The settings of a file."""

    # From the root: `auditor deliver` of another folder must not begin another file.
    path: Annotated[str, Field(pattern="^/"), AfterValidator(_path)] = Field(
        description="The file's path from the root; its folder has to be there."
    )


class Kind(Destination[Settings]):
    """Taken once the lines are on the disk. Opened anew for each batch, so that whoever rotates it need tell nobody."""

    settings_type = Settings

    def __init__(self, receiver: Receiver, settings: Settings, *, allow_http: bool) -> None:
        super().__init__(receiver, settings, allow_http=allow_http)
        try:
            mode = Path(settings.path).stat().st_mode
        except OSError:
            return  # what is not there can be made until there is something to write
        if not stat.S_ISREG(mode):
            raise UsageError(f"destination {receiver.name}: path {_not_a_file(settings.path, mode)}")

    @property
    def limits(self) -> Limits:
        """As many as are worth one flush of the disk."""
        return Limits(2_000, 8 * _MEBIBYTE, 8 * _MEBIBYTE, envelope=1)

    async def send(self, batch: Sequence[Due]) -> Sequence[Receipt]:
        """Append these events, one a line."""
        lines = b"".join(due.event.body + b"\n" for due in batch)
        # Its thread is left alone when its time is over: a disk that does not answer can't be hurried.
        receipt = await to_thread.run_sync(_append, self.settings.path, lines, abandon_on_cancel=True)
        return [receipt] * len(batch)


def _append(path: str, lines: bytes) -> Receipt:
    try:
        descriptor = os.open(path, FLAGS | _AND_NOT_WAIT, _PRIVATE)
    except OSError as error:
        return Later(f"{shown(path)}: {error.strerror}")
    try:
        why_not = _unfit(path, descriptor)
        if why_not is not None:
            return Later(why_not)
        append(descriptor, Path(path), lines)
    except BlockingIOError:
        return Later(f"{shown(path)}: another process is writing to it")
    except OSError as error:
        return Later(f"{shown(path)}: {error.strerror}")
    finally:
        os.close(descriptor)
    return Taken()


def _unfit(path: str, descriptor: int) -> str | None:
    """Return why nothing is to be appended to this file; None where it is ours, or empty."""
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        return _not_a_file(path, mode)
    if os.pread(descriptor, 1, 0) not in {b"", b"{"}:
        return f"{shown(path)}: holds something else than JSON lines; name another file, or move it away"
    return None


def _not_a_file(path: str, mode: int) -> str:
    return f"{shown(path)} is {_KINDS.get(stat.S_IFMT(mode), 'no file')}; name a file"
