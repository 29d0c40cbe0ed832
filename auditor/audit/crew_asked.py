"""Whether more than this process is to audit, as it was asked for: looked at before the first call."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from auditor.errors import UsageError
from auditor.model import how_to_install, is_loopback, shown

if TYPE_CHECKING:
    from auditor.audit.options import RunOptions

_SCHEMES = ("tcp", "tls")
_USUAL_PORT = 8786
"""Of a Dask scheduler (`dask scheduler --help`)."""


def is_shared_out(options: RunOptions) -> bool:
    """Say whether workers are to audit, and not this process."""
    return options.dask is not None or options.workers > 1


def check_workers(options: RunOptions) -> None:
    """Look at what was asked for.

    :raises UsageError: where it can't be done.
    """
    if options.workers < 1:
        raise UsageError(f"--workers {options.workers}: at least one has to audit")
    if not is_shared_out(options):
        return
    asked = "--workers" if options.dask is None else "--dask"
    if options.dask is not None and options.workers > 1:
        raise UsageError(
            "--workers starts workers here, --dask uses those that there are: leave one of them out"
        )
    if options.evidence is not None:
        raise UsageError(
            f"{asked}: evidence is kept by one process in the order of its answers; leave {asked} or --evidence out"
        )
    if find_spec("distributed") is None:
        raise UsageError(f"{asked}: Dask is not installed; {how_to_install('dask')}")
    if options.dask is not None:
        _check_url(options.dask, allow_http=options.allow_http)


def scheduler_of(address: str) -> str:
    """Return the address of a scheduler, with Dask's usual port where it names none."""
    return address if urlsplit(address).port is not None else f"{address.removesuffix('/')}:{_USUAL_PORT}"


def _check_url(text: str, *, allow_http: bool) -> None:
    url = urlsplit(text)
    try:
        whole = url.scheme in _SCHEMES and bool(url.hostname) and url.port != 0
    except ValueError:
        whole = False
    if not whole or url.username is not None or url.path not in ("", "/"):
        raise UsageError(
            "--dask: write tcp://HOST:PORT or tls://HOST:PORT, the address of Dask's scheduler (port 8786, unless given)"
        )
    if url.scheme == "tcp" and not allow_http and not is_loopback(url.hostname or ""):
        raise UsageError(
            f"--dask: the plan, ExternalIds included, would go in the clear to {shown(url.hostname or '')}: use tls://, "
            "whose certificates Dask's configuration names (distributed.comm.tls), or pass --allow-http if nobody else "
            "can read that network"
        )
