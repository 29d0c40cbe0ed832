"""Evidence, verified offline: what is wrong with it, one line for each thing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditor.errors import EvidenceFault
from auditor.evidence.completeness import completeness_faults
from auditor.evidence.files import chain_faults, file_faults, signature_faults
from auditor.evidence.reading import Evidence
from auditor.evidence.totals import total_faults

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from auditor.evidence.signing import PublicKey


def faults_of(
    folder: Path,
    *,
    key: PublicKey | None = None,
    allow_unsigned: bool = False,
    after: Sequence[Path] = (),
    follow: Callable[[Evidence], Iterator[str]] | None = None,
) -> Iterator[str]:
    """Yield what is wrong with the evidence in a run's folder; nothing where all is well.

    :param key: what its signature is held against.
    :param allow_unsigned: whether it may have no signature, or one that is not checked.
    :param after: the folders or manifests of the runs before it, the latest first.
    :param follow: yields how the findings do not follow from the answers.
    :raises UsageError: where there is no evidence, or a run before it can't be read.
    """
    try:
        evidence = Evidence.open(folder)
    except EvidenceFault as fault:
        yield str(fault)
        return
    yield from signature_faults(evidence, key, allow_unsigned=allow_unsigned)
    yield from file_faults(evidence)
    yield from chain_faults(evidence, after)
    yield from total_faults(evidence)
    yield from completeness_faults(evidence)
    if follow is not None:
        yield from follow(evidence)
