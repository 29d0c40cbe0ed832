"""From YAML text to a tree that remembers its lines, within limits of size and depth.

Built from PyYAML's events and not from its nodes, so that a limit is met while the text is read: a bomb of aliases
is refused before it unfolds, and deep nesting before PyYAML's own recursion meets it. Scalars are read by the core
schema of YAML 1.2, as editors read them: `no` is text and no false, `012` is no octal number.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from auditor.config.nodes import Child, ListNode, MappingNode, Node, Scalar
from auditor.config.text import cut, quoted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditor.config.faults import Faults

MOST_VALUES = 500_000
"""Values in a file, what its aliases repeat included: more than 4 MiB of sane configuration."""

DEEPEST = 20
"""Levels of nesting; the format needs five."""

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

# YAML 1.2.2, 10.3.2, but for .inf and .nan, which no setting takes.
_INTEGER = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_TAG = "tag:yaml.org,2002:"


@dataclass(slots=True)
class _Open:
    """A mapping or list that has begun."""

    node: MappingNode | ListNode
    place: int
    anchor: str | None
    values_before: int
    height: int = 1
    key: tuple[str, int] | None = None
    """The key whose value is due, and its line."""


@dataclass(slots=True)
class _Anchored:
    node: Node
    values: int
    height: int


def read_tree(text: str, faults: Faults) -> Child:
    """Return the root of the one document in `text`.

    :raises ConfigError: where it is no YAML, not one document, or above a limit.
    """
    return _Builder(faults).build(text)


class _Builder:
    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._open: list[_Open] = []
        self._anchors: dict[str, _Anchored] = {}
        self._values = 0
        self._root: Child | None = None

    def build(self, text: str) -> Child:
        events = yaml.parse(text, Loader=_LOADER)
        try:
            self._follow(events)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            last = text.rstrip().count("\n") + 1  # where the text ends too early, the mark is below it
            line = min(mark.line + 1, last) if mark else None
            raise self._faults.fatal(line, _syntax(error, text)) from None
        except (yaml.YAMLError, ValueError, OverflowError):
            # The reader's own errors have no line; PyYAML without libyaml lets chr() raise for "\UFFFFFFFF".
            raise self._faults.fatal(None, "is not valid YAML; check its escapes and characters") from None
        finally:
            events.close()  # type: ignore[attr-defined]  # a generator; typed as an iterator
        if self._root is None:
            raise self._faults.fatal(None, f"holds nothing but comments; {self._faults.kind.begin}")
        return self._root

    def _follow(self, events: Iterator[Any]) -> None:
        for event in events:
            line = event.start_mark.line + 1
            match event:
                case yaml.ScalarEvent():
                    self._count(line, 1)
                    self._scalar(event, line)
                case yaml.AliasEvent():
                    self._alias(str(event.anchor), line)
                case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                    self._count(line, 1)
                    self._begin(event, line)
                case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                    self._end()
                case yaml.DocumentStartEvent() if self._root is not None:
                    raise self._faults.fatal(
                        line, "a second document begins here; one file holds one: remove the line of dashes"
                    )
                case _:
                    pass

    def _scalar(self, event: Any, line: int) -> None:
        node = Scalar(line, event.value, event.value)
        if event.tag is None and event.implicit[0]:
            self._mean(node)
        elif event.tag not in {None, "!", _TAG + "str"}:
            self._faults.add(line, _refused_tag(event.tag))
            node.spoiled = True
        if event.anchor is not None:
            self._anchors[event.anchor] = _Anchored(node, 1, 0)
        self._place(line, node, 0)

    def _mean(self, node: Scalar) -> None:
        text = node.text
        if text in _WORDS:
            node.value = _WORDS[text]
        elif text[-1].isdigit() or text[-1] == ".":
            try:
                if _INTEGER.fullmatch(text):
                    node.value = int(text)
                elif _FLOAT.fullmatch(text):
                    node.value = float(text)
            except ValueError:  # Python reads 4,300 digits and no more
                self._faults.add(
                    node.line, "a number of more than 4,300 digits is too long; write a shorter one"
                )
                node.spoiled = True

    def _alias(self, anchor: str, line: int) -> None:
        found = self._anchors.get(anchor)
        if found is None:
            name = cut(anchor)
            raise self._faults.fatal(
                line, f"the alias *{name} stands before its anchor &{name}, or in it; write the value out"
            )
        self._count(line, found.values)
        if len(self._open) + found.height > DEEPEST:
            raise self._too_deep(line)
        self._place(line, found.node, found.height)

    def _begin(self, event: Any, line: int) -> None:
        is_mapping = isinstance(event, yaml.MappingStartEvent)
        if event.tag not in {None, "!", _TAG + ("map" if is_mapping else "seq")}:
            raise self._faults.fatal(line, _refused_tag(event.tag))
        if len(self._open) >= DEEPEST:
            raise self._too_deep(line)
        node = MappingNode(line) if is_mapping else ListNode(line)
        self._open.append(_Open(node, line, event.anchor, self._values - 1))

    def _end(self) -> None:
        ended = self._open.pop()
        # Only now: an alias within its own anchor would make a loop of the tree.
        if ended.anchor is not None:
            self._anchors[ended.anchor] = _Anchored(
                ended.node, self._values - ended.values_before, ended.height
            )
        self._place(ended.place, ended.node, ended.height)

    def _place(self, line: int, node: Node, height: int) -> None:
        if not self._open:
            self._root = Child(line, node)
            return
        parent = self._open[-1]
        parent.height = max(parent.height, height + 1)
        if isinstance(parent.node, ListNode):
            parent.node.children.append(Child(line, node))
        elif parent.key is None:
            parent.key = self._key(line, node)
        else:
            key, key_line = parent.key
            parent.key = None
            first = parent.node.children.get(key)
            if first is None:
                parent.node.children[key] = Child(key_line, node)
            else:
                twice = f"the key {quoted(key)} stands here twice, on line {first.line} first; keep one"
                self._faults.add(key_line, twice)

    def _key(self, line: int, node: Node) -> tuple[str, int]:
        if isinstance(node, Scalar):
            return node.text, line
        raise self._faults.fatal(line, f"{node.kind} can't be a key; write a plain word")

    def _count(self, line: int, values: int) -> None:
        self._values += values
        if self._values > MOST_VALUES:
            raise self._faults.fatal(
                line, f"the file unfolds to more than {MOST_VALUES:,} values, aliases followed; write less"
            )

    def _too_deep(self, line: int) -> Exception:
        return self._faults.fatal(line, f"nested more than {DEEPEST} levels deep; the format needs five")


def _refused_tag(tag: str) -> str:
    return f"the tag {quoted(tag.replace(_TAG, '!!'))} can't be used here; leave it out"


def _syntax(error: yaml.MarkedYAMLError, text: str) -> str:
    """Say what YAML did not take: libyaml's words hold nothing of the file, so they can be shown."""
    mark = error.problem_mark or error.context_mark
    where, found = ("", "")
    if mark is not None:
        where = f" in column {mark.column + 1}"
        rows = text.split("\n")
        if mark.line < len(rows):
            found = rows[mark.line][mark.column : mark.column + 1]
    problem = error.problem or "it can't be read"
    if found == "\t":
        hint = "indent with spaces, not tabs"
    elif "mapping values are not allowed" in problem:
        hint = "put a text that holds ': ' in quotes, or mend the indentation"
    elif found and found in "@`%":
        hint = f"put a text that begins with {found} in quotes"
    else:
        hint = "mend the indentation, quotes or brackets there or just above"
    return f"is not valid YAML{where}: {cut(problem)}; {hint}"
