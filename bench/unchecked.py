"""`auditor` without the checkpoint that no option switches off, to be measured beside it: `python -m bench.unchecked`."""

from __future__ import annotations

from typing import Any

from auditor.audit.checkpoint import Checkpoint
from auditor.cli import main


def _forgotten(*_: Any) -> None:
    """Take no note that an account and Region has ended: there is nothing to bring to the disk then."""


if __name__ == "__main__":
    Checkpoint.ended = _forgotten  # type: ignore[method-assign,assignment]
    main()
