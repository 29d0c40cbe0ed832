"""The version of a policy's code: another wherever a byte of its module is, or of a module of ours that it uses."""

from __future__ import annotations

import hashlib
import inspect
import pkgutil
import re
import sys
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from auditor.policies import builtin

if TYPE_CHECKING:
    from types import ModuleType

_ROOM = builtin.__name__.rpartition(".")[0]

# The source's own words, and not what is in the module's namespace: there an imported number has no origin.
_FROM_ONE = re.compile(rf"^\s*(?:from|import) ({re.escape(_ROOM)}\.[\w.]+)", re.MULTILINE)
_FROM_ROOM = re.compile(rf"^\s*from {re.escape(_ROOM)} import \(?([\w\s,]+)", re.MULTILINE)


def code_version(code: ModuleType | type) -> str:
    """Return the version of `code`, which is a policy's module, or its class where that has no module of its own.

    It covers the data and helpers of this room that the module imports, and those that they import.
    """
    source = inspect.getsource(code)
    used: set[str] = set()
    found = _imports(source)
    while found:
        used |= found
        found = frozenset().union(*(_imports(_source(name)) for name in found)) - used
    digest = hashlib.sha256(source.encode())
    for name in sorted(used):
        digest.update(f"\0{name}\0{_source(name)}".encode())
    return digest.hexdigest()[:12]


def _imports(source: str) -> frozenset[str]:
    """Return the modules of this room that `source` imports."""
    named = set(_FROM_ONE.findall(source))
    for names in _FROM_ROOM.findall(source):
        named |= {f"{_ROOM}.{name}" for name in re.findall(r"\w+", names)}
    return _modules() & named


@cache
def _modules() -> frozenset[str]:
    return frozenset(
        f"{package.__name__}.{module.name}"
        for package in (sys.modules[_ROOM], builtin)
        for module in pkgutil.iter_modules(package.__path__)
        if not module.ispkg
    )


@cache
def _source(name: str) -> str:
    return inspect.getsource(import_module(name))
