from __future__ import annotations

import pytest

from auditor.coverage import Ledger
from auditor.errors import LedgerError
from auditor.model import EXPORT_RECORDS, Account, Failure, Outcome, Reason, Target, Verdict

ACCOUNT = Account("111122223333", None, "arn", None, "s", 3_600, ("us-east-1",))
TARGET = Target(EXPORT_RECORDS, ACCOUNT, "us-east-1")


def test_a_breach_is_told_once_however_often_the_ledger_is_checked() -> None:
    ledger = Ledger([TARGET])
    texts = []
    for _ in range(3):
        with pytest.raises(LedgerError) as caught:
            ledger.check()
        texts.append(str(caught.value))
    assert len(set(texts)) == 1


def test_what_was_settled_late_is_no_breach_any_more() -> None:
    ledger = Ledger([TARGET])
    with pytest.raises(LedgerError):
        ledger.check()
    ledger.settle(TARGET, Outcome(pages=1), None)
    ledger.check()


@pytest.mark.parametrize("reason", [Reason.REGION_NOT_ENABLED, Reason.ACCOUNT_SUSPENDED])
def test_a_target_of_which_a_page_was_read_is_never_skipped(reason: Reason) -> None:
    ledger = Ledger([TARGET])
    assert ledger.settle(TARGET, Outcome(pages=1), Failure(reason)) is Verdict.PARTIAL
