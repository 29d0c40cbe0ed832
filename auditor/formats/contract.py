"""What a format is: a module of this room that defines `OutputFormat`; the module's name is the format's."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from auditor.model import Finding


class Format(ABC):
    """Turns a run into bytes, in bounded memory: findings as they come, the ledger and the run at the end."""

    file_name: ClassVar[str]
    """The file's name in the run's folder, where no path is given."""

    def head(self) -> bytes:
        """Return what stands before the first finding."""
        return b""

    @abstractmethod
    def findings(self, findings: Sequence[Finding]) -> bytes:
        """Return these findings, which follow those before."""

    def tail(self, coverage: Iterable[Mapping[str, Any]], run: Mapping[str, Any]) -> Iterator[bytes]:  # noqa: ARG002
        """Yield what stands after the last finding.

        :param coverage: the coverage lines, in the order of the plan.
        :param run: run.json.
        """
        yield b""
