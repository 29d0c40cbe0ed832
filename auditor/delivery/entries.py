"""Services that answer for each entry of a batch: what they say of each, and what it means to its event."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from auditor.delivery.contract import Later, Refused, Taken

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from auditor.delivery.contract import Receipt

_LONGEST_CODE = 64


def entries_of(answer: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    """Return the entries that stand in an answer under a key; what is none is left out."""
    entries = answer.get(key)
    return [each for each in entries if isinstance(each, dict)] if isinstance(entries, list) else []


def receipt_of(code: object, message: object, for_good: Collection[str]) -> Receipt:
    """Return what a service says of one entry.

    :param code: its error code; None or empty where it has taken the entry.
    :param for_good: the codes that say that it will never take it.
    """
    if code in (None, ""):
        return Taken()
    why = f"{str(code)[:_LONGEST_CODE]}: {message or 'no reason given'}"
    return Refused(why) if code in for_good else Later(why)


def in_order(receipts: Mapping[str, Receipt], ids: list[str], service: str) -> list[Receipt]:
    """Return the receipts of these ids in their order; of what nothing was said it is not known that it was taken."""
    return [receipts.get(each, Later(f"{service} did not say what became of it")) for each in ids]
