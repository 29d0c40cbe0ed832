"""From a path to its text: one regular file, of a sane size, in UTF-8."""

from __future__ import annotations

import os
import re
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from auditor.config.faults import Faults

LARGEST_FILE = 4 * 1024 * 1024
"""Bytes: some 10,000 accounts with all that can be said of each."""

# YAML 1.1, 5.1: the characters that a stream may hold. A byte order mark is one at the start alone, and U+0085,
# U+2028 and U+2029 would end lines for YAML and for no editor, so that no line number would be right.
_NOT_PRINTABLE = re.compile(
    "[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)

_KINDS = {
    stat.S_IFDIR: "is a directory; name the file in it",
    stat.S_IFIFO: "is a pipe; write what comes out of it to a file, and name that",
    stat.S_IFCHR: "is a device; name a file",
    stat.S_IFBLK: "is a device; name a file",
    stat.S_IFSOCK: "is a socket; name a file",
}


def read_text(path: Path, faults: Faults) -> str:
    """Return the text of the file at `path`, without a byte order mark.

    :raises ConfigError: where it can't be read, is no regular file, is too large, empty, binary or no UTF-8.
    """
    data = _read_bytes(path, faults)
    if len(data) > LARGEST_FILE:
        raise faults.fatal(None, f"is larger than 4 MiB; {faults.kind.split}")
    if b"\0" in data:
        raise faults.fatal(_line(data, data.index(b"\0")), "is binary, or UTF-16; write it as text in UTF-8")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        wrong = _line(data, error.start)
        raise faults.fatal(wrong, "holds a byte that is not UTF-8; save the file as UTF-8") from None
    if not text.strip():
        raise faults.fatal(None, f"is empty; {faults.kind.begin}")
    if hostile := _NOT_PRINTABLE.search(text):
        code = f"U+{ord(hostile[0]):04X}"
        raise faults.fatal(
            text.count("\n", 0, hostile.start()) + 1, f"holds the control character {code}; remove it"
        )
    return text


# Without O_NONBLOCK, opening a pipe that nobody writes to waits for ever. Not every system has all of these.
_FLAGS = os.O_RDONLY
for _name in ("O_NONBLOCK", "O_CLOEXEC", "O_NOCTTY", "O_BINARY"):
    _FLAGS |= getattr(os, _name, 0)


def _read_bytes(path: Path, faults: Faults) -> bytes:
    try:
        descriptor = os.open(path, _FLAGS)
        with open(descriptor, "rb", buffering=0) as file:  # noqa: PTH123 -- a descriptor, not a path
            kind = stat.S_IFMT(os.fstat(descriptor).st_mode)
            if kind != stat.S_IFREG:
                raise faults.fatal(None, _KINDS.get(kind, "is no regular file; name one"))
            data = bytearray()
            while len(data) <= LARGEST_FILE and (chunk := file.read(LARGEST_FILE + 1 - len(data))):
                data += chunk
            return bytes(data)
    except FileNotFoundError:
        raise faults.fatal(None, f"no such file; {faults.kind.name}") from None
    except IsADirectoryError:
        raise faults.fatal(None, _KINDS[stat.S_IFDIR]) from None
    except PermissionError:
        raise faults.fatal(None, "can't be read: permission denied; let this user read it") from None
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise faults.fatal(None, f"can't be read: {why}; name a file that can") from None
    except ValueError:  # a NUL in the path, or a name that the file system can't spell
        raise faults.fatal(None, "is no path that a file can have; name a file") from None


def _line(data: bytes, offset: int) -> int:
    return data.count(b"\n", 0, offset) + 1
