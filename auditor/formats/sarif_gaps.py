"""Gaps as results of SARIF, for GitHub, which shows nothing else of a document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from auditor.formats.gaps import GapKind, accepted_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditor.formats.unseen import Group

# SARIF 2.1.0, 3.11.5 and 3.11.6: braces stand for arguments, brackets for links, unless they are escaped.
_LITERAL = str.maketrans({"{": "{{", "}": "}}", "[": r"\[", "]": r"\]", "\\": r"\\"})

_RULES = {
    GapKind.SUBSET: (
        "Only a subset was audited.",
        "Audit everything, and upload that under a category of its own.",
    ),
    GapKind.UNREAD: (
        "An account or Region could not be audited.",
        "Let the auditor read it: auditor doctor says how.",
    ),
    GapKind.UNJUDGED: ("Records could not be judged.", "Look at what they do not say, in coverage.jsonl."),
}


def literal(text: str) -> str:
    """Return text as a message says it: nothing in it is a link or stands for an argument."""
    return text.translate(_LITERAL)


def gap_rules() -> Iterator[dict[str, Any]]:
    """Yield the rules that the results below are of."""
    for kind, (title, remedy) in _RULES.items():
        yield {
            "id": _rule_id(kind),
            "name": _rule_id(kind),
            "shortDescription": {"text": title},
            "fullDescription": {"text": f"{title} What is there is not known: this is no pass."},
            "help": {"text": remedy},
            "defaultConfiguration": {"level": _level(kind)},
            "properties": {"tags": ["coverage"], "problem.severity": "recommendation"},
        }


def gap_result(group: Group, uri: str) -> dict[str, Any]:
    """Return the result that tells of the gaps of an account for one reason."""
    gap = group.first
    suppressions: dict[str, Any] = {}
    if gap.accepted:
        suppression = {"kind": "external", "status": "accepted", "justification": accepted_text(gap.accepted)}
        suppressions = {"suppressions": [suppression]}
    return {
        "ruleId": _rule_id(gap.kind),
        "kind": "fail",
        "level": "note" if gap.accepted else _level(gap.kind),
        "message": {"text": literal(f"{gap.text}{group.more}")},
        "locations": [
            {"physicalLocation": {"artifactLocation": {"uri": uri}, "region": {"startLine": 1}}},
        ],
        "fingerprints": {"auditor/v1": group.group_id},
        "partialFingerprints": {"primaryLocationLineHash": f"{group.group_id}:1"},
        **suppressions,
        "properties": {"gap": gap, "gapIds": list(group.gap_ids), "gaps": group.count},
    }


def _rule_id(kind: GapKind) -> str:
    return f"coverage-{kind}"


def _level(kind: GapKind) -> str:
    return "note" if kind is GapKind.SUBSET else "error"
