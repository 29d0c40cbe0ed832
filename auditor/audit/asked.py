"""The formats that a run is asked for: whether they exist, and each has a place of its own."""

from __future__ import annotations

import difflib
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from auditor.audit.folder import OWN_FILES
from auditor.audit.options import FormatRequest
from auditor.errors import UsageError
from auditor.formats import STDOUT, formats
from auditor.model import how_to_install, shown

if TYPE_CHECKING:
    from collections.abc import Sequence


def place_of(request: FormatRequest, folder: Path) -> str:
    """Return where the format is written."""
    return request.path or str(folder / formats()[request.name].file_name)


def check_formats(requests: Sequence[FormatRequest], folder: Path, config_path: str) -> None:
    """Look whether the formats exist, and each has a place where nothing else is or will be.

    :raises UsageError: where not.
    """
    taken = {Path(config_path).absolute().resolve(): "the configuration"}
    taken |= {(folder / name).absolute().resolve(): f"the run's own {name}" for name in OWN_FILES}
    for request in requests:
        if request.name not in formats():
            near = difflib.get_close_matches(request.name, list(formats()), 1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(formats())}"
            raise UsageError(f"-f {shown(request.name)}: no such format; {hint}")
        _check_variant(request)
        _check_installed(request)
        if request == FormatRequest("jsonl"):
            continue  # which every run's folder holds anyway
        path = place_of(request, folder)
        place = Path(path) if path == STDOUT else Path(path).absolute().resolve()
        if place in taken:
            text = f"would be written to the place of {taken[place]}; name another"
            raise UsageError(f"-f {request.asked}={shown(path)}: {text}")
        taken[place] = f"-f {request.asked}"


def _check_variant(request: FormatRequest) -> None:
    there = formats()[request.name].variants
    if request.variant is None or request.variant in there:
        return
    if not there:
        text = f"{request.name} has no variants; write -f {request.name}"
    else:
        text = f"no such variant of {request.name}; there are {', '.join(there)}"
    raise UsageError(f"-f {shown(request.asked)}: {text}")


def _check_installed(request: FormatRequest) -> None:
    needs = formats()[request.name].needs
    if needs is not None and find_spec(needs) is None:
        raise UsageError(f"-f {request.name}: {needs} is not installed; {how_to_install(request.name)}")
