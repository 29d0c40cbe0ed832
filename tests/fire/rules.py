"""What goes wrong by microburst: its rules, drawn from the campaign's seed.

Nothing of its own choosing is asked for (`probability`, errors without a code), since its dice are not seeded. One
byte that it corrupts is always no UTF-8 any more: it inverts all bits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fire.troubles import Draw, Night

# Lightsail API reference, GetExportSnapshotRecords, Errors; all modelled ones answer 400.
_REFUSALS = (
    "AccessDeniedException",
    "AccountSetupInProgressException",
    "InvalidInputException",
    "NotFoundException",
    "OperationFailureException",
    "RegionSetupInProgressException",
    "UnauthenticatedException",
)
_TIMES = (1, 2, 3, 6, None)


def _add(draw: Draw, night: Night, service: str | None = None, **rule: Any) -> None:
    chance = draw.chance
    service = service or chance.choice(("lightsail", "lightsail", "lightsail", "sts"))
    aimed: dict[str, Any] = {"service": service, **rule}
    if service == "lightsail" and chance.random() < 0.4:
        aimed["region"] = chance.choice(draw.estate.regions)
    if service == "sts":
        aimed["operation"] = "AssumeRole"
    if chance.random() < 0.3:
        aimed["sequence"] = {"fail": chance.randint(1, 3), "pass": chance.randint(1, 4)}
    elif (times := chance.choice(_TIMES)) is not None:
        aimed["times"] = times
    if chance.random() < 0.15:
        aimed["ttl_s"] = 1
    night.rules.append(aimed)


def throttling(draw: Draw, night: Night) -> None:
    code = draw.chance.choice(("ThrottlingException", "Throttling", "RequestLimitExceeded"))
    _add(draw, night, error={"code": code, "message": "Rate exceeded"})


def service_errors(draw: Draw, night: Night) -> None:
    code, status = draw.chance.choice(
        (("ServiceException", 500), ("InternalFailure", 500), ("SlowDown", 503))
    )
    _add(draw, night, error={"code": code, "status": status})


def refusals(draw: Draw, night: Night) -> None:
    _add(draw, night, "lightsail", error={"code": draw.chance.choice(_REFUSALS), "status": 400})


def expired_tokens(draw: Draw, night: Night) -> None:
    _add(draw, night, error={"code": "ExpiredTokenException", "status": 400})


def clock_skew(draw: Draw, night: Night) -> None:
    code = draw.chance.choice(("RequestTimeTooSkewed", "RequestExpired"))
    _add(draw, night, error={"code": code, "status": 403})


def bad_signatures(draw: Draw, night: Night) -> None:
    _add(draw, night, error={"code": "SignatureDoesNotMatch", "status": 403})


def latency(draw: Draw, night: Night) -> None:
    _add(draw, night, latency=draw.request_timeout * 1000 * draw.chance.choice((0.1, 0.4, 1.5)))


def held_and_then_504(draw: Draw, night: Night) -> None:
    _add(draw, night, timeout_ms=int(draw.request_timeout * 1000 * draw.chance.choice((0.3, 2.0))))


def resets(draw: Draw, night: Night) -> None:
    _add(draw, night, reset=True)


def truncated_bodies(draw: Draw, night: Night) -> None:
    _add(draw, night, response={"truncate_frac": draw.chance.choice((0.0, 0.1, 0.5, 0.9))})


def aborted_bodies(draw: Draw, night: Night) -> None:
    _add(draw, night, response={"abort_frac": draw.chance.choice((0.1, 0.5, 0.9))})


def corrupted_bodies(draw: Draw, night: Night) -> None:
    _add(draw, night, response={"corrupt_bytes": 1})


def slow_bodies(draw: Draw, night: Night) -> None:
    _add(draw, night, response={"bandwidth_kbps": draw.chance.choice((4, 32))})


def other_headers(draw: Draw, night: Night) -> None:
    if draw.chance.random() < 0.5:
        _add(draw, night, response={"set_headers": {"Content-Type": "text/html"}})
    else:
        _add(draw, night, response={"strip_headers": ["Content-Type", "x-amzn-RequestId"]})


def cut_uploads(draw: Draw, night: Night) -> None:
    _add(draw, night, request={"cut_upload": {"after_bytes": 1}})


TROUBLES: dict[str, Callable[[Draw, Night], None]] = {
    "throttling": throttling,
    "service errors": service_errors,
    "refusals": refusals,
    "expired tokens": expired_tokens,
    "clock skew": clock_skew,
    "bad signatures": bad_signatures,
    "latency": latency,
    "held, then 504": held_and_then_504,
    "resets": resets,
    "truncated bodies": truncated_bodies,
    "aborted bodies": aborted_bodies,
    "corrupted bodies": corrupted_bodies,
    "slow bodies": slow_bodies,
    "other headers": other_headers,
    "cut uploads": cut_uploads,
}
