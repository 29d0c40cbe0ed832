"""A replay as the command line tells of it: its findings written, and how they differ from the run's."""

from __future__ import annotations

import os
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from auditor.audit.replayed import OF_THE_HISTORY
from auditor.errors import SinkError
from auditor.evidence.layout import CONFIGURATION, FOLDER
from auditor.evidence.reading import Evidence
from auditor.formats import STDOUT
from auditor.library import load_config
from auditor.model import Verdict, shown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from auditor.audit.replayed import Replayed
    from auditor.config import Config


def open_kept(folder: Path) -> tuple[Evidence, Config]:
    """Return the evidence in a run's folder, and the configuration that the run had.

    :raises UsageError: where there is none.
    :raises EvidenceFault: where it is not what its manifest names.
    """
    evidence = Evidence.open(folder)
    return evidence, own_configuration(evidence)


def own_configuration(evidence: Evidence) -> Config:
    """Return the configuration that a run had, without its secrets.

    :raises EvidenceFault: where it is not what the manifest names.
    """
    evidence.configuration()  # held against its digest
    return load_config(evidence.folder / FOLDER / CONFIGURATION, environ={})


def write_lines(path: str, lines: Iterable[bytes]) -> None:
    """Write these lines to a file, which appears whole or not at all, or to standard output.

    :raises SinkError: where that can't be done.
    """
    if path == STDOUT:
        if sys.stdout is None:
            raise SinkError("standard output: it is closed")
        try:
            sys.stdout.buffer.writelines(lines)
            sys.stdout.buffer.flush()
        except OSError as error:
            raise SinkError(f"standard output: {error.strerror}") from error
        return
    aside = Path(f"{path}.part")
    try:
        with aside.open("wb") as file:
            file.writelines(lines)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    except OSError as error:
        raise SinkError(f"{shown(path)}: {error.strerror}") from error


def outcome_of(replayed: Replayed) -> str:
    """Say how the findings differ from those of the run, in words."""
    told: Counter[str] = Counter()
    for pair in replayed.pairs():
        if pair.now is None and pair.status_before in OF_THE_HISTORY:
            continue  # it follows from no page, then as now
        if pair.before is None or pair.status_before in OF_THE_HISTORY:
            told["new"] += 1
        elif pair.now is None:
            told["gone"] += 1
        else:
            told["same" if pair.now == pair.before else "changed"] += 1
    by = "as the run did" if replayed.is_own else "otherwise than the run did"
    counts = ", ".join(f"{told[each]} {each}" for each in ("same", "changed", "new", "gone"))
    return f"judged {by}; findings: {counts}"


def shortfall_of(replayed: Replayed) -> str | None:
    """Say what could not be judged, in words; None where everything was."""
    verdicts, unjudged = replayed.ledger.verdicts, replayed.tally.unjudged_records
    unread = verdicts[Verdict.PARTIAL] + verdicts[Verdict.FAILED]
    parts = [f"{unread} target(s) not read to their end, or not recorded"] if unread else []
    if unjudged:
        parts.append(f"{unjudged} record(s) could not be judged")
    return ", ".join(parts) or None
