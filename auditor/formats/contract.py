"""What a format is: a module of this room that defines `OutputFormat`; the module's name is the format's.

The class's docstring is a line that says what the format is for: it stands in the list of formats.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from auditor.formats.start import RunStart
    from auditor.model import Finding


class Format(ABC):
    """Turns a run into bytes, in bounded memory: findings as they come, the ledger and the run at the end."""

    file_name: ClassVar[str]
    """The file's name in the run's folder, where no path is given."""
    variants: ClassVar[tuple[str, ...]] = ()
    """What may stand behind a colon after the format's name, such as a version; the first is the default."""
    needs: ClassVar[str | None] = None
    """The package that it writes by, which comes with the extra of the format's name; None where it needs none."""
    tells_of_delivery: ClassVar[bool] = False
    """Whether it is ended only once all was sent that could be, and so later than what others rest on."""

    wants_past: ClassVar[bool] = False
    """Whether it tells of earlier runs: the history is asked for `RunStart.past` where a format wants it."""

    def __init__(self, start: RunStart, variant: str | None = None) -> None:
        """Begin a document.

        :param variant: one of `variants`; None is the first of them.
        """
        self.start = start
        self.variant = variant or (self.variants[0] if self.variants else None)

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
