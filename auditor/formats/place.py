"""Where a finding is shown, for those that show one in a file: at the line of the configuration that asks for it."""

from __future__ import annotations

import os
import posixpath
from pathlib import PurePath
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from auditor.formats.start import RunStart


def config_uri(start: RunStart) -> str:
    """Return the configuration as a URI: relative as it was named, which in CI is from the repository's root."""
    path = PurePath(start.config_path)
    encoded = quote(os.fsencode(posixpath.normpath(path.as_posix())))
    return f"file://{encoded}" if path.is_absolute() else encoded


def config_line(start: RunStart, policy: str | None) -> int:
    """Return the line, from 1, that sets a policy; 1 where this run does not judge by it."""
    judged = start.policies.get(policy) if policy is not None else None
    return judged.line if judged is not None else 1
