"""Gaps added up: one role that is lost is one thing to tell of an account, not one for each of its targets."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditor.formats.gaps import GapKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditor.formats.gaps import Gap

_Key = tuple[str | None, ...]


@dataclass(slots=True)
class Group:
    """Parts of gaps of one account for one reason, whatever their source."""

    group_id: str
    """The same in every run in which the same account has a gap for the same reason."""
    first: Gap
    gap_ids: dict[str, None]
    """The gaps that it tells of."""
    count: int = 1

    @property
    def why(self) -> str:
        """The reason, in words."""
        gap = self.first
        if gap.policy:
            return f"{gap.policy} could not judge all records"
        return f"{gap.reason} ({gap.error_code})" if gap.error_code else str(gap.reason)

    @property
    def more(self) -> str:
        """How many there are beside the first, to be said after it."""
        return f" and {self.count - 1:,} more" if self.count > 1 else ""


class Unseen:
    """Takes every gap, and keeps one for each account and reason."""

    def __init__(self) -> None:
        self._groups: dict[_Key, Group] = {}
        self.gaps = 0
        """Of targets and of records: that a run is a subset is none."""

    def add(self, gap: Gap) -> None:
        """Count one."""
        self.gaps += gap.kind is not GapKind.SUBSET
        accepted = tuple(gap.accepted.values()) if gap.accepted else ()
        about = (gap.kind, gap.account_id, gap.reason, gap.error_code, gap.policy)
        group = self._groups.get((*about, *accepted))
        if group is not None:
            group.count += 1
            group.gap_ids[gap.gap_id] = None
            return
        text = "\n".join(each or "" for each in ("gaps", *about))
        group_id = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
        self._groups[*about, *accepted] = Group(group_id, gap, {gap.gap_id: None})

    def groups(self) -> Iterator[Group]:
        """Yield each, in the order of its first gap."""
        yield from self._groups.values()
