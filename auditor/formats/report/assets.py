"""The parts of the page that are the same in every report, and what a browser may do with it."""

from __future__ import annotations

import base64
import hashlib
import json
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent
STYLES = ("vendored/uplot.css", "report.css")
SCRIPTS = (
    "vendored/tanstack-table.js",
    "vendored/uplot.js",
    "base.js",
    "theme.js",
    "finding.js",
    "findings.js",
    "coverage.js",
    "trend.js",
)
"""In the order in which they are run; each has a scope of its own, but for the names that it gives to those after."""


@cache
def asset(name: str) -> bytes:
    """Return a file of the page."""
    return (FOLDER / name).read_bytes()


def styles() -> bytes:
    """Return the elements of its styles."""
    return b"".join(b"<style>%s</style>\n" % asset(name) for name in STYLES)


def scripts() -> bytes:
    """Return the elements of its scripts."""
    return b"".join(b"<script>%s</script>\n" % asset(name) for name in SCRIPTS)


def licences() -> list[tuple[str, list[str]]]:
    """Return what each library that is packed into a page is called, and the lines of its licence, which go with it."""
    return [
        (
            f"{library['name']} {library['version']}",
            asset(f"vendored/{library['licence_file']}").decode().splitlines(),
        )
        for library in json.loads(asset("vendored/vendored.json"))
    ]


def content_security_policy() -> str:
    """Return what a browser is held to: it runs and shows what stands here, and loads and sends nothing."""
    scripts, styles = (" ".join(map(_digest, names)) for names in (SCRIPTS, STYLES))
    return (
        f"default-src 'none'; script-src {scripts}; style-src {styles}; base-uri 'none'; form-action 'none'; "
        "connect-src 'none'; img-src 'none'; object-src 'none'; worker-src 'none'"
    )


def _digest(name: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(asset(name)).digest()).decode()}'"
