"""The one retry layer: what is tried again, how often, and after what pause."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    before_sleep_nothing,
    retry_if_exception,
    stop_after_attempt,
    stop_after_delay,
    wait_random_exponential,
)

from auditor.errors import CallFailed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from auditor.aws.slots import Slot

TRIES = 6
_LEAST_TRIES = 3
_GIVE_UP_AFTER = 20.0
"""Seconds, once the least number of tries is done: a target that can't be read ends within about that."""
_LONGEST_PAUSE = 4.0


def _is_transient(error: BaseException) -> bool:
    return isinstance(error, CallFailed) and error.transient


_STOP = stop_after_attempt(TRIES) | (stop_after_attempt(_LEAST_TRIES) & stop_after_delay(_GIVE_UP_AFTER))
_WAIT = wait_random_exponential(multiplier=0.25, max=_LONGEST_PAUSE)
_RETRY = retry_if_exception(_is_transient)


class Retrying:
    """Calls a function until it succeeds, fails for good, or was tried often enough.

    It waits without the slot, with jitter, and calls `before_retry` before each further try.
    """

    __slots__ = ("_before_retry", "_slot")

    def __init__(
        self, slot: Slot, before_retry: Callable[[RetryCallState], None] = before_sleep_nothing
    ) -> None:
        self._slot = slot
        self._before_retry = before_retry

    async def __call__(
        self, function: Callable[..., Awaitable[dict[str, Any]]], *arguments: Any
    ) -> dict[str, Any]:
        """Return what `function` does in the end.

        :raises CallFailed: the last of its failures.
        """
        try:
            # Nearly every call ends here, and asking tenacity would cost as much as signing it does.
            return await function(*arguments)
        except CallFailed as failed:
            if not failed.transient:
                raise
            failures = [failed]

        async def again() -> dict[str, Any]:
            if failures:
                raise failures.pop()  # the first try, which tenacity counts as if it had made it
            return await function(*arguments)

        tries = AsyncRetrying(
            stop=_STOP,
            wait=_WAIT,
            retry=_RETRY,
            sleep=self._slot.pause,
            before_sleep=self._before_retry,
            reraise=True,
        )
        return await tries(again)
