"""What a destination is: a module of this room that defines `Kind`; the module's name, with hyphens, is its type.

A kind sends batches and says what became of each event. It neither tries again, nor waits, nor starts a task: that is
the business of `auditor.delivery.sending`, which also cuts what is too large and gives up on what takes too long, and
of `auditor.audit.delivering`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeAlias, TypeVar

from auditor.config import DestinationSettings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType
    from typing import Self

    from auditor.config import Receiver
    from auditor.delivery.forms import Say
    from auditor.history import Due, Event

S = TypeVar("S", bound=DestinationSettings)


@dataclass(frozen=True, slots=True)
class Taken:
    """The receiver has it, and said so."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The receiver will never take it as it is."""

    why: str
    perhaps_spoiled: bool = field(default=True, compare=False)
    """Whether it may be refused for another's sake that was sent with it: it is tried without, if all were refused."""


@dataclass(frozen=True, slots=True)
class Undeliverable:
    """There is no place left where it could be told; it is a dead letter, as what is refused."""

    why: str


@dataclass(frozen=True, slots=True)
class Later:
    """It was not taken now: the receiver is busy, away or not set up, and may take it another time."""

    why: str
    after: float | None = None
    """Seconds that the receiver asks to be left alone."""


Receipt: TypeAlias = "Taken | Refused | Undeliverable | Later"


@dataclass(frozen=True, slots=True)
class Limits:
    """What the service takes at once."""

    events: int
    """In one batch."""
    batch_bytes: int
    """Of all bodies together, each with its envelope."""
    event_bytes: int
    """Of one body with its envelope."""
    envelope: int = 0
    """Bytes that the destination itself puts around each body, at most."""


class Destination(ABC, Generic[S]):
    """One place where events go, opened for as long as there is something to send.

    What is made can be opened: whatever can be looked at without a call is looked at before.
    """

    settings_type: ClassVar[type[DestinationSettings]]
    lanes_at_once: ClassVar[int] = 1
    """How many lanes are sent to at the same time; in each it is one batch after another."""

    say: Say | None = None
    """Puts an event into the form that it is told in: `make_destinations` gives it, by the settings."""

    def __init__(self, receiver: Receiver, settings: S, *, allow_http: bool) -> None:
        """Look at all that can be looked at without a call.

        :raises UsageError: where it can't be sent to as it is set up.
        """
        self.receiver = receiver
        self.settings = settings
        self.allow_http = allow_http

    @property
    def name(self) -> str:
        """What the configuration calls it."""
        return self.receiver.name

    @property
    @abstractmethod
    def limits(self) -> Limits:
        """What it takes at once."""

    def lane(self, event: Event) -> str | None:  # noqa: ARG002 -- what a kind looks at
        """Return which of several ways an event takes, where there are several.

        Events of two lanes are never in one batch; and where one lane is not taken, the others go on.
        """
        return None

    @abstractmethod
    async def send(self, batch: Sequence[Due]) -> Sequence[Receipt]:
        """Send these events, and return what became of each, in their order.

        No two of them are about one finding. Each body is what is to be sent: JSON in the destination's form, within the limits. Where the
        receiver gives one answer for all, that is the answer for each.
        """

    async def __aenter__(self) -> Self:
        """Open what is sent through; nothing is sent before there is something."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close it."""


AnyDestination: TypeAlias = Destination[Any]
