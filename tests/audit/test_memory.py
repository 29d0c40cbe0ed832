"""What a place has held goes as soon as it has ended: the collector looks seldom, and would find a hundred MB."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import pytest

from auditor.aws.paging import Paging

if TYPE_CHECKING:
    from tests.audit.conftest import Auditing, EstateMaker


@pytest.mark.parametrize("afterlife", [False, True])
async def test_what_read_a_target_goes_with_it_and_waits_for_no_collection(
    auditing: Auditing, estate_of: EstateMaker, *, afterlife: bool
) -> None:
    gc.collect()
    gc.disable()
    try:
        await auditing(estate_of(3, afterlife=afterlife))
        held = [each for each in gc.get_objects() if isinstance(each, Paging)]
    finally:
        gc.enable()
    assert held == []
