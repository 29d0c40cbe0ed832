"""Events put together as a service takes them: so many at once, of so many bytes, each cut where it is too large."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from auditor.delivery.events import RUN
from auditor.delivery.fitting import body_of, fitted
from auditor.errors import Untellable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from auditor.delivery.contract import Limits
    from auditor.delivery.forms import Say
    from auditor.history import Due, Event


class Batcher:
    """Makes batches within the limits of one service."""

    def __init__(
        self,
        limits: Limits,
        lane: Callable[[Event], str | None] = lambda _event: None,
        say: Say | None = None,
    ) -> None:
        """Make none yet.

        :param lane: says which events may be together: those of one lane.
        :param say: puts an event into the form that the service is told in.
        """
        self._limits = limits
        self._lane = lane
        self._say = say

    def fitted(self, due: Sequence[Due]) -> tuple[list[Due], list[tuple[Due, str]]]:
        """Return these events as they are to be sent, and those that can't be, with the reason.

        One is too large even when cut, or, as one of another auditor's may, does not say what its form needs.
        """
        fit: list[Due] = []
        unfit: list[tuple[Due, str]] = []
        most = self._limits.event_bytes - self._limits.envelope
        for each in due:
            form = partial(self._say, said_at=each.said_at) if self._say is not None else None
            try:
                whole = body_of(each.event, form)
                body = whole if len(whole) <= most else fitted(each.event.body, most, form)
            except Untellable as error:
                unfit.append((each, str(error)))
                continue
            if body is None:
                unfit.append(
                    (each, f"it has {len(whole)} bytes, and even cut more than the {most} it may have")
                )
            elif body is each.event.body:
                fit.append(each)
            else:
                fit.append(replace(each, event=replace(each.event, body=body)))
        return fit, unfit

    def batches(self, due: Sequence[Due]) -> Iterator[Mapping[str | None, Iterator[list[Due]]]]:
        """Yield these events in batches by lane, in the order of each lane; what is yielded first goes first.

        No two of one batch are about one finding; a run's event is the first of one, and goes after all that was
        before it. What was tried in vain goes in ever smaller batches, so that what spoils one is alone in the end.
        """
        lanes: dict[str | None, list[Due]] = {}
        for each in due:
            if each.event.kind == RUN and lanes:
                yield self._of_lanes(lanes)
                lanes = {}
            lanes.setdefault(self._lane(each.event), []).append(each)
        if lanes:
            yield self._of_lanes(lanes)

    def _of_lanes(self, lanes: Mapping[str | None, list[Due]]) -> Mapping[str | None, Iterator[list[Due]]]:
        return {lane: self._of_lane(due) for lane, due in lanes.items()}

    def _of_lane(self, due: Sequence[Due]) -> Iterator[list[Due]]:
        batch: list[Due] = []
        size = 0
        most = self._limits.events
        about: set[str] = set()
        for each in due:
            own = len(each.event.body) + self._limits.envelope
            most_with = min(most, max(self._limits.events >> each.attempts, 1))
            full = len(batch) >= most_with or size + own > self._limits.batch_bytes
            if batch and (full or each.event.finding_id in about):
                yield batch
                batch, size, about = [], 0, set()
                most_with = max(self._limits.events >> each.attempts, 1)
            most = most_with
            batch.append(each)
            size += own
            if each.event.finding_id is not None:
                about.add(each.event.finding_id)
        if batch:
            yield batch
