"""Which rules match: found by the names in them that are no patterns, so that thousands of rules cost little."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from auditor.config import is_pattern, matcher

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

Names: TypeAlias = "tuple[str | None, ...]"
"""What a rule asks for, in an order that is the same for all: a name, a pattern, or None for whatever there is."""


class Matching:
    """Rules, each known by its number, and what matches them."""

    def __init__(self, rules: Iterable[Names]) -> None:
        self._shapes: dict[tuple[bool, ...], dict[Names, list[_Rule]]] = {}
        """Which of its names are no patterns → these names → the rules."""
        for number, names in enumerate(rules):
            exact = tuple(name is not None and not is_pattern(name) for name in names)
            key = _key(names, exact)
            self._shapes.setdefault(exact, {}).setdefault(key, []).append(_Rule(number, names, exact))

    def matching(self, names: Sequence[str]) -> list[int]:
        """Return the numbers of the rules that these names match, the first rule first."""
        return sorted(
            rule.number
            for exact, rules in self._shapes.items()
            for rule in rules.get(_key(names, exact), ())
            if rule.takes(names)
        )


def _key(names: Sequence[str | None], exact: Sequence[bool]) -> Names:
    return tuple(name if is_exact else None for name, is_exact in zip(names, exact, strict=True))


class _Rule:
    """A rule, and what is left to be asked where its names without patterns are the right ones."""

    def __init__(self, number: int, names: Names, exact: Sequence[bool]) -> None:
        self.number = number
        self._asks: list[tuple[int, Callable[[str], bool]]] = [
            (place, matcher(name))
            for place, (name, is_exact) in enumerate(zip(names, exact, strict=True))
            if name is not None and not is_exact
        ]

    def takes(self, names: Sequence[str]) -> bool:
        return all(asks(names[place]) for place, asks in self._asks)
