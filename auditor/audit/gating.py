"""Which findings make a run fail: those that are grave enough, or of these the new ones alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditor.audit.options import NewFindings
from auditor.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditor.audit.options import FailOn
    from auditor.audit.tally import Tally
    from auditor.config import Config


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
