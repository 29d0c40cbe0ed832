"""What makes a run fail: findings that are grave enough, or of these the new ones alone; too little read or judged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from auditor.audit.options import NewFindings, Usual
from auditor.errors import UsageError
from auditor.model import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from auditor.audit.options import FailOn, RunOptions
    from auditor.audit.tally import Tally
    from auditor.config import Config


@dataclass(frozen=True, slots=True)
class Gates:
    """What decides whether a run fails."""

    fail_on: FailOn = Severity.HIGH
    min_coverage: int = 100
    """Percent, 0 to 100."""
    max_unjudged: int = 0
    """Records that at least one policy could not judge."""

    def told(self) -> dict[str, Any]:
        """Return them as a checkpoint has them."""
        return {
            "fail_on": told_fail_on(self.fail_on),
            "min_coverage": self.min_coverage,
            "max_unjudged": self.max_unjudged,
        }


def gates_of(options: RunOptions, before: Gates | None = None) -> Gates:
    """Return the gates of a run.

    :param before: those that it began with, where it goes on.
    """
    usual = before or Gates()
    return Gates(
        usual.fail_on if isinstance(options.fail_on, Usual) else options.fail_on,
        usual.min_coverage if options.min_coverage is None else options.min_coverage,
        usual.max_unjudged if options.max_unjudged is None else options.max_unjudged,
    )


def read_gates(told: Mapping[str, Any]) -> Gates:
    """Return the gates that `Gates.told` has told of."""
    return Gates(read_fail_on(told["fail_on"]), told["min_coverage"], told["max_unjudged"])


def read_fail_on(text: str) -> FailOn:
    """Return what a text such as high, new:high or none asks for."""
    if text == "none":
        return None
    _, colon, severity = text.rpartition(":")
    return NewFindings(Severity(severity)) if colon else Severity(severity)


def told_fail_on(fail_on: FailOn) -> str:
    """Return the text that asks for this."""
    if fail_on is None:
        return "none"
    return f"new:{fail_on.at_least}" if isinstance(fail_on, NewFindings) else str(fail_on)


def check_fail_on(fail_on: FailOn, config: Config) -> None:
    """Look whether there will be something to tell which findings are new, where that is asked.

    :raises UsageError: where not.
    """
    if isinstance(fail_on, NewFindings) and config.history is None:
        grave = fail_on.at_least
        raise UsageError(
            f"--fail-on new:{grave}: without a history nothing tells what is new; add history: {{}} to the "
            f"configuration, or write --fail-on {grave} to count all"
        )


def failing(fail_on: FailOn, tally: Tally) -> Iterator[str]:
    """Yield why the findings of a run make it fail, in words; nothing where they don't."""
    if fail_on is None:
        return
    if not isinstance(fail_on, NewFindings):
        if grave := tally.at_least(fail_on):
            yield f"{grave} finding(s) at or above {fail_on}"
        return
    if new := tally.new_at_least(fail_on.at_least):
        yield f"{new} new finding(s) at or above {fail_on.at_least}"
    # A history that failed on the way: what it could not tell is not passed over.
    if untold := tally.untold_at_least(fail_on.at_least):
        yield f"{untold} finding(s) at or above {fail_on.at_least} that may be new: the history could not tell"
