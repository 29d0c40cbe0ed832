"""Inputs made from good ones: bytes and trees with a few things in them changed."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random

    from hypothesis.strategies import SearchStrategy

HOSTILE = "\x1b[2J\u2028\x85\u202e\x7f\U000e0001 =1+1 <b>|`x`](http://e) ]]>&amp;\r\n\0\ufffe"
TEXTS: SearchStrategy[str] = st.one_of(
    st.sampled_from(["", " ", "x", HOSTILE, "\ud800", "a" * 5_000, "../../etc/passwd", "${NAME}", "%s{0}"]),
    st.text(max_size=12),
)
NUMBERS: SearchStrategy[int | float] = st.one_of(
    st.sampled_from([0, -1, 1, 640, 2**31, 2**63, 2**64, 10**30, -(2**63), 1e308, 0.1, -0.0]),
    st.integers(-(10**6), 10**10),
    st.floats(allow_nan=True, allow_infinity=True),
)


def _nested(depth: int) -> Any:
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value


ODD: SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    NUMBERS,
    TEXTS,
    st.sampled_from([{}, [], [None], {"": ""}, [[]], {"a": {"b": []}}]),
    st.builds(_nested, st.sampled_from([3, 30, 150])),
)
"""What may stand where something else was meant: each type of JSON, and the ends of each."""


_CHANCE = st.randoms(use_true_random=True)
"""Where things are changed: one draw for all of it, where Hypothesis would take longer over each than the target does."""


@st.composite
def edited(draw: Callable[[Any], Any], whole: bytes, words: Sequence[bytes], most: int = 6) -> bytes:
    """Return `whole` with a few edits: cuts, copies, flipped bits, and words put in."""
    data = bytearray(whole)
    chance = draw(_CHANCE)
    for _ in range(chance.randint(0, most)):
        at = chance.randint(0, len(data))
        length = chance.choice([0, 1, 2, 8, 64, len(data)])
        match chance.randrange(6):
            case 0:
                del data[at : at + length]
            case 1:
                data[at:at] = chance.choice(words)
            case 2:
                data[at : at + length] = chance.choice(words)
            case 3 if len(data) < _LARGE:
                data[at:at] = data[at : at + length]
            case 4 if at < len(data):
                data[at] ^= 1 << chance.randrange(8)
            case _:
                data[at:at] = chance.randbytes(chance.randint(1, 4))
    return bytes(data)


_LARGE = 100_000
"""Bytes that are not doubled any more."""
_MANY = 100
"""Elements of a list, likewise."""


@st.composite
def changed(draw: Callable[[Any], Any], tree: Any, values: SearchStrategy[Any], most: int = 4) -> Any:
    """Return a copy of a tree of JSON's types in which a few values are others, gone, doubled or under other keys."""
    root = [copy.deepcopy(tree)]
    chance = draw(_CHANCE)
    for _ in range(chance.randint(0, most)):
        holder, key = _place(chance, root)
        match chance.randrange(6):
            case 0 if holder is not root:
                del holder[key]
            case 1 if isinstance(holder, dict):
                holder[draw(TEXTS)] = holder.pop(key)
            case 2 if isinstance(holder, list) and holder is not root and len(holder) < _MANY:
                holder.extend([copy.deepcopy(holder[key])] * chance.choice([1, 2, 40]))
            case 3:
                other, there = _place(chance, root)
                holder[key] = copy.deepcopy(other[there])
            case _:
                # Copied: what is drawn may be a constant of the strategy's.
                holder[key] = copy.deepcopy(draw(values))
    return root[0]


def _place(chance: Random, root: list[Any]) -> tuple[Any, Any]:
    """Return a mapping or list in the tree, and one of its keys: seldom the root, for then nothing else is left."""
    holder: Any = root
    key: Any = 0
    go_on = 0.98
    while (inner := holder[key]) and isinstance(inner, dict | list) and chance.random() < go_on:
        keys = sorted(inner) if isinstance(inner, dict) else range(len(inner))
        holder, key, go_on = inner, chance.choice(keys), 0.85
    return holder, key
