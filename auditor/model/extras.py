"""How to install what is an extra: said in one place, and true of a checkout and of a wheel."""

from __future__ import annotations


def how_to_install(extra: str) -> str:
    """Return what to do where an extra is missing.

    The name on PyPI is another's, so that nobody may be told to install the extra of a package by that name.
    """
    return (
        f"install it: pip install '.[{extra}]', with auditor's checkout or the path of its wheel for the dot"
    )
