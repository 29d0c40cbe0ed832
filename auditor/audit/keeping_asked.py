"""What a run's evidence is to be made with, and goes on from: looked at before the first call."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from auditor.audit.options import EvidenceOptions
from auditor.errors import UsageError
from auditor.evidence.chain import named_before
from auditor.evidence.kms import check_arn
from auditor.evidence.layout import check_installed
from auditor.evidence.salvaging import salvage
from auditor.evidence.signing import load_signer

if TYPE_CHECKING:
    from pathlib import Path

    from auditor.audit.options import RunOptions
    from auditor.evidence.chain import Known
    from auditor.evidence.salvaging import Salvaged
    from auditor.evidence.signing import Signer


def salvaged_of(folder: Path, options: RunOptions) -> tuple[Salvaged | None, RunOptions]:
    """Return what a run that goes on has kept, and the options with which it keeps on.

    :raises UsageError: where it was begun without evidence, and is to have some now.
    """
    found = salvage(folder)
    if found is None and options.evidence is not None:
        raise UsageError(
            "--evidence: the run was begun without it, and its first answers are gone; begin a new one"
        )
    if found is not None and options.evidence is None:
        options = replace(options, evidence=EvidenceOptions())
    return found, options


def keys_and_chain(options: RunOptions) -> tuple[Signer | None, Known | None]:
    """Return what the evidence is signed with, and which was before it, as far as files tell.

    :raises UsageError: where one of them can't be used, or what the evidence needs is not installed.
    """
    asked = options.evidence
    if asked is None:
        return None, None
    check_installed("--evidence")
    if asked.key is not None and asked.kms is not None:
        raise UsageError("--evidence-key and --evidence-kms: one key signs; leave one of them out")
    if asked.kms is not None:
        check_arn(asked.kms)
    return (
        load_signer(asked.key) if asked.key is not None else None,
        named_before(asked.after) if asked.after is not None else None,
    )
