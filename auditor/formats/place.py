"""Where a finding is shown, for those that show one in a file: at the line of the configuration that asks for it."""

from __future__ import annotations

import os
import posixpath
from pathlib import PurePath
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from auditor.formats.start import RunStart


def config_path(start: RunStart) -> str:
    """Return the configuration's path as it was named, which in CI is from the repository's root; no `./` before it."""
    return posixpath.normpath(PurePath(start.config_path).as_posix())


def config_uri(start: RunStart) -> str:
    """Return the same as a URI."""
    path = config_path(start)
    encoded = quote(os.fsencode(path))
    return f"file://{encoded}" if PurePath(path).is_absolute() else encoded


def config_line(start: RunStart, policy: str | None) -> int:
    """Return the line, from 1, that sets a policy; 1 where this run does not judge by it."""
    judged = start.policies.get(policy) if policy is not None else None
    return judged.line if judged is not None else 1
