"""Every format there is, found by looking into this room."""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from auditor.formats.contract import Format


@cache
def formats() -> Mapping[str, type[Format]]:
    """Return every format by its name."""
    found: dict[str, type[Format]] = {}
    for module in pkgutil.iter_modules([str(Path(__file__).parent)]):
        output_format = getattr(import_module(f"{__package__}.{module.name}"), "OutputFormat", None)
        if output_format is not None:
            found[module.name] = output_format
    return found
