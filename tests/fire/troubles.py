"""What can go wrong in a night, each drawn from the campaign's seed.

Of corrupted bodies only those are drawn that can be told from good ones: cut, no JSON, no UTF-8, a NUL, a list that is
missing. AWS gives no checksum, so that a letter changed into another is a valid page with another content; nobody can
see that, and no oracle could ask for it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from auditor.simulator.faults import GET_RECORDS, LISTED_BY_EC2, LISTED_BY_LIGHTSAIL, Fault, FaultKind
from tests.fire import names
from tests.fire.receiver import MISDEEDS, TAKE

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from auditor.simulator.estate import Estate

ASSUME_ROLE = "AssumeRole"
_BEGINNING = (1, 1, 1, 2, 3, None)


@dataclass(slots=True)
class Night:
    """One run, and all that goes wrong in it."""

    faults: list[Fault] = field(default_factory=list)
    """The simulator's."""
    rules: list[dict[str, Any]] = field(default_factory=list)
    """Of the proxy before it, where there is one."""
    drawn: list[str] = field(default_factory=list)
    """What was drawn, by name."""
    lookups: tuple[str, ...] = ()
    then: str = names.FINE
    clock_off: float = 0.0
    """Seconds that AWS's clock is ahead of this machine's."""
    clock_jumps_after: float | None = None
    """Seconds after which it is so; None for from the beginning."""
    lifetime: float | None = None
    """Of credentials, in seconds; None for an hour."""
    unreachable: frozenset[str] = frozenset()
    """Services at whose address nobody listens."""
    receiving: tuple[str, ...] = (TAKE,)
    """What the receiver does, request by request."""
    full_output: bool = False
    """Whether one more output is on a disk that is full."""


@dataclass(frozen=True, slots=True)
class Draw:
    """What a trouble is drawn with."""

    chance: random.Random
    estate: Estate
    request_timeout: float

    def operation(self) -> str:
        """Return an operation that has an answer to every kind that is AWS's or the network's."""
        read = [GET_RECORDS] * 6
        if any(account.afterlife for account in self.estate.accounts):
            read += sorted(LISTED_BY_LIGHTSAIL | LISTED_BY_EC2)
        return self.chance.choice([*read, ASSUME_ROLE, ASSUME_ROLE])

    def aim(self, operation: str) -> dict[str, Any]:
        """Return where, when and how often a fault strikes."""
        chance = self.chance
        account = chance.choice(self.estate.accounts).id if chance.random() < 0.6 else None
        paged = operation != ASSUME_ROLE
        region = chance.choice(self.estate.regions) if paged and chance.random() < 0.4 else None
        page = chance.choice((1, 2, 2, 3)) if paged and chance.random() < 0.4 else None
        aimed: dict[str, Any] = {"account": account, "region": region, "operation": operation, "page": page}
        aimed |= {"times": chance.choice(_BEGINNING), "spares": chance.choice((0, 0, 0, 1, 2))}
        if chance.random() < 0.15:
            begins = chance.uniform(0.0, 0.3)
            aimed |= {"begins": begins, "ends": begins + chance.uniform(0.1, 0.6), "times": None}
        return aimed

    def strike(self, night: Night, *kinds: FaultKind, operation: str | None = None, **how: Any) -> None:
        """Add a fault of one of these kinds."""
        operation = operation or self.operation()
        night.faults.append(Fault(self.chance.choice(kinds), **(self.aim(operation) | how)))


def throttling(draw: Draw, night: Night) -> None:
    draw.strike(night, FaultKind.THROTTLE)


def service_errors(draw: Draw, night: Night) -> None:
    draw.strike(night, FaultKind.SERVICE_ERROR, status=draw.chance.choice((500, 503)))


def hangs(draw: Draw, night: Night) -> None:
    draw.strike(night, FaultKind.HANG)


def resets(draw: Draw, night: Night) -> None:
    draw.strike(night, FaultKind.RESET)


def cut_bodies(draw: Draw, night: Night) -> None:
    draw.strike(night, FaultKind.CUT_BODY, FaultKind.CUT_JSON)


def corrupted_bodies(draw: Draw, night: Night) -> None:
    operation = draw.operation()
    kinds = [FaultKind.NOT_JSON, FaultKind.NOT_UTF8, FaultKind.SPOILED_BYTE]
    if operation != ASSUME_ROLE:
        kinds.append(FaultKind.MISSING_KEY)
    draw.strike(night, *kinds, operation=operation)


def slow_bodies(draw: Draw, night: Night) -> None:
    seconds = draw.request_timeout * draw.chance.choice((0.2, 0.5, 1.5))
    draw.strike(night, FaultKind.SLOW_BODY, FaultKind.SLOW_BODY, FaultKind.STALLED_BODY, seconds=seconds)


def slow_answers(draw: Draw, night: Night) -> None:
    seconds = draw.request_timeout * draw.chance.choice((0.1, 0.3, 1.5))
    draw.strike(night, FaultKind.LATENCY, seconds=seconds)


def odd_pages(draw: Draw, night: Night) -> None:
    kinds = (FaultKind.EMPTY_PAGE, FaultKind.TOKEN_LOOP, FaultKind.TOKEN_REJECTED)
    draw.strike(night, *kinds, operation=GET_RECORDS)


def refusals(draw: Draw, night: Night) -> None:
    operation = draw.operation()
    kinds = [FaultKind.ACCESS_DENIED, FaultKind.UNRECOGNIZED_CLIENT, FaultKind.INVALID_SIGNATURE]
    if operation in LISTED_BY_LIGHTSAIL:
        kinds += [
            FaultKind.UNAUTHENTICATED,
            FaultKind.NOT_FOUND,
            FaultKind.INVALID_INPUT,
            FaultKind.OPERATION_FAILURE,
            FaultKind.ACCOUNT_SETUP_IN_PROGRESS,
            FaultKind.REGION_SETUP_IN_PROGRESS,
            FaultKind.OPT_IN_REQUIRED,
        ]
    draw.strike(night, *kinds, operation=operation)


def wrong_account(draw: Draw, night: Night) -> None:
    if len(draw.estate.accounts) > 1:
        draw.strike(night, FaultKind.WRONG_ACCOUNT, operation=ASSUME_ROLE)


def expiring_credentials(draw: Draw, night: Night) -> None:
    if draw.chance.random() < 0.5:
        night.lifetime = draw.chance.choice((0.05, 0.2, 0.5, 1.2, 2.5))
    else:
        draw.strike(night, FaultKind.EXPIRED)


def clock_skew(draw: Draw, night: Night) -> None:
    if draw.chance.random() < 0.3:
        draw.strike(night, FaultKind.REQUEST_EXPIRED)
        return
    night.clock_off = draw.chance.choice((-7200.0, -400.0, -60.0, 60.0, 400.0, 7200.0))
    if draw.chance.random() < 0.5:
        night.clock_jumps_after = draw.chance.uniform(0.05, 0.4)


def sts_down_for_a_while(draw: Draw, night: Night) -> None:
    begins = draw.chance.choice((0.0, 0.0, 0.1))
    kind = draw.chance.choice(
        (FaultKind.SERVICE_ERROR, FaultKind.RESET, FaultKind.HANG, FaultKind.THROTTLE, FaultKind.NOT_JSON)
    )
    ends = begins + draw.chance.uniform(0.1, 1.5)
    night.faults.append(Fault(kind, operation=ASSUME_ROLE, status=503, begins=begins, ends=ends))
    night.faults.append(Fault(kind, operation="GetCallerIdentity", status=503, begins=begins, ends=ends))


def failing_names(draw: Draw, night: Night) -> None:
    outcomes = (names.UNKNOWN, names.BUSY, names.ELSEWHERE, names.SLOW, names.FINE)
    night.lookups = tuple(draw.chance.choice(outcomes) for _ in range(draw.chance.randint(1, 4)))
    night.then = draw.chance.choice((names.FINE, names.FINE, names.FINE, names.UNKNOWN, names.BUSY))


def nobody_listens(draw: Draw, night: Night) -> None:
    night.unreachable = frozenset({draw.chance.choice(("STS", "LIGHTSAIL"))})


def dying_destination(draw: Draw, night: Night) -> None:
    steps = [draw.chance.choice((*MISDEEDS, TAKE)) for _ in range(draw.chance.randint(1, 3))]
    night.receiving = (*steps, draw.chance.choice((TAKE, TAKE, steps[-1])))


def full_disk(_: Draw, night: Night) -> None:
    night.full_output = True


Trouble = "Callable[[Draw, Night], None]"
TROUBLES: dict[str, Callable[[Draw, Night], None]] = {
    "throttling": throttling,
    "service errors": service_errors,
    "hangs": hangs,
    "resets": resets,
    "cut bodies": cut_bodies,
    "corrupted bodies": corrupted_bodies,
    "slow bodies": slow_bodies,
    "slow answers": slow_answers,
    "odd pages": odd_pages,
    "refusals": refusals,
    "wrong account": wrong_account,
    "expiring credentials": expiring_credentials,
    "clock skew": clock_skew,
    "STS down for a while": sts_down_for_a_while,
    "nobody listens": nobody_listens,
}
"""What any campaign may have."""
IN_PROCESS: dict[str, Callable[[Draw, Night], None]] = {"failing names": failing_names}
"""What is faked in the process of the audit itself, and so needs it to be this one."""
OF_OUTPUTS: dict[str, Callable[[Draw, Night], None]] = {
    "dying destination": dying_destination,
    "full disk": full_disk,
}
