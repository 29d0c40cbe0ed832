"""The standard environment variables of OpenTelemetry, as far as it has to be known before a run whether they can be met.

The SDK itself reads them; what it does not know it passes over, and a run would be told of nowhere.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from auditor.errors import UsageError
from auditor.model import how_to_install, is_loopback, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# OpenTelemetry specification, "OpenTelemetry Environment Variable Specification" and "OTLP Exporter Configuration".
_DISABLED = "OTEL_SDK_DISABLED"
_ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
_PROTOCOL = "http/protobuf"
TRACES, METRICS = "TRACES", "METRICS"
"""What is told, as the names of variables have it."""
_HIDDEN = "[hidden]"
_SHORTEST_SECRET = 8
"""Characters: a shorter value guards nothing, and to hide it would spoil what else holds it."""


def is_wanted(environ: Mapping[str, str], signal: str) -> bool:
    """Say whether traces, or metrics, are to be sent at all."""
    return environ.get(f"OTEL_{signal}_EXPORTER", "otlp").strip().lower() != "none"


def is_disabled(environ: Mapping[str, str]) -> bool:
    """Say whether the environment switches everything off."""
    return environ.get(_DISABLED, "").strip().lower() == "true"


def check_environment(environ: Mapping[str, str], *, allow_http: bool) -> None:
    """Look at all that can be looked at before anything is sent.

    :raises UsageError: where it can't be sent as the environment says.
    """
    if is_disabled(environ):
        return
    if not _is_installed():
        raise UsageError(f"--otel: opentelemetry is not installed; {how_to_install('opentelemetry')}")
    for signal in (TRACES, METRICS):
        exporter = environ.get(f"OTEL_{signal}_EXPORTER", "otlp").strip().lower()
        if exporter not in {"otlp", "none"}:
            raise UsageError(
                f"--otel: OTEL_{signal}_EXPORTER is {shown(exporter)}; there are otlp and none: unset it"
            )
        if exporter == "otlp":
            _check_protocol(environ, signal)
            _check_headers(environ, signal)
            _check_endpoint(environ, signal, allow_http=allow_http)


def secrets_of(environ: Mapping[str, str]) -> list[str]:
    """Return what may be secret in the environment: the values of the headers that are sent along."""
    found: list[str] = []
    for _, value in _headers(environ):
        found += [each for part in value.split(",") if (each := part.partition("=")[2].strip())]
    values = dict.fromkeys([*found, *map(unquote, found)])
    return [value for value in values if len(value) >= _SHORTEST_SECRET]


def hidden(text: str, environ: Mapping[str, str]) -> str:
    """Return a text of the SDK without what is secret."""
    for secret in sorted(secrets_of(environ), key=len, reverse=True):
        text = text.replace(secret, _HIDDEN)
    return text


def _is_installed() -> bool:
    try:
        return all(
            find_spec(name) is not None
            for name in ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")
        )
    except (ImportError, ValueError):
        return False  # what they stand in is not there


def _check_protocol(environ: Mapping[str, str], signal: str) -> None:
    name, protocol = _first(environ, signal, "PROTOCOL")
    if protocol and protocol != _PROTOCOL:
        raise UsageError(
            f"--otel: {name} is {shown(protocol)}, and {_PROTOCOL} alone is spoken here; set it to that, and the "
            f"endpoint to where the collector takes it (port 4318 usually)"
        )


def _check_headers(environ: Mapping[str, str], signal: str) -> None:
    name, value = _first(environ, signal, "HEADERS")
    if any(part.strip() and not part.partition("=")[1] for part in value.split(",")):
        raise UsageError(f"--otel: {name} is no list of name=value, with commas between them")


def _check_endpoint(environ: Mapping[str, str], signal: str, *, allow_http: bool) -> None:
    name, endpoint = _first(environ, signal, "ENDPOINT")
    if not endpoint:
        return  # this machine
    try:
        url = urlsplit(endpoint)
        host = url.hostname or ""
        _ = url.port
    except ValueError:
        raise UsageError(f"--otel: {name} is no URL") from None
    if url.scheme not in {"http", "https"} or not host:
        raise UsageError(f"--otel: {name} is no URL of http or https, such as https://collector:4318")
    if url.scheme == "http" and not allow_http and not is_loopback(host):
        raise UsageError(
            f"--otel: {name} would be sent to over plain http to {shown(host)}: use https, or pass --allow-http if "
            "nobody else can read that network"
        )


def _first(environ: Mapping[str, str], signal: str, what: str) -> tuple[str, str]:
    """Return the variable of this signal, or else the common one, and what it holds."""
    for name in (f"OTEL_EXPORTER_OTLP_{signal}_{what}", f"OTEL_EXPORTER_OTLP_{what}"):
        if value := environ.get(name, "").strip():
            return name, value
    return _ENDPOINT, ""


def _headers(environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name, value in environ.items():
        if name.startswith("OTEL_EXPORTER_OTLP_") and name.endswith("HEADERS"):
            yield name, value
