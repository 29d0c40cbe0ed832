"""Whether a run's findings follow from its answers: judged again, they have to be the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import orjson

from auditor.audit.replayed import OF_THE_HISTORY
from auditor.audit.replaying import COVERAGE, FINDINGS, replay
from auditor.errors import EvidenceFault
from auditor.evidence.results import JSONLines
from auditor.model import NOT_OF_AN_ACCOUNT, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from auditor.audit.replayed import Pair, Replayed
    from auditor.config import Config
    from auditor.evidence.reading import Evidence

_COMPARED = ("pages", "records")
"""What a coverage line counts of a target that judging it again counts too."""


def contradictions(evidence: Evidence, own: Callable[[Evidence], Config]) -> Iterator[str]:
    """Yield what findings.jsonl and coverage.jsonl say that does not follow from the answers, a line for each thing.

    :param own: returns the configuration that the run had.
    """
    try:
        with anyio.run(replay, evidence, own(evidence)) as replayed:
            if not replayed.is_own:
                version = shown(str(evidence.environment().get("auditor")))
                yield (
                    f"{FINDINGS}: can't be held against the answers, since the run judged by other policies than this "
                    f"auditor has; verify with auditor {version}, and the policies of one's own that it had"
                )
                return
            for pair in replayed.pairs():
                told = _of_pair(pair)
                if told is not None:
                    yield f"{FINDINGS}: {told}"
            yield from _of_targets(evidence, replayed)
    except EvidenceFault as fault:
        yield f"{FINDINGS}: can't be held against the answers: {fault}"


def _of_pair(pair: Pair) -> str | None:
    if pair.now is None:
        if pair.status_before in OF_THE_HISTORY:
            return None  # the run knew it from its history alone
        return f"{_named(pair.before)} does not follow from the answers"
    if pair.before is None:
        return f"{_named(pair.now)} follows from the answers, and is not there"
    if pair.now == pair.before:
        return None
    now, before = orjson.loads(pair.now), orjson.loads(pair.before)
    changed = sorted(key for key in now.keys() | before.keys() if now.get(key) != before.get(key))
    what = ", ".join(map(shown, changed)) or "how it is written"
    return f"{_named(pair.before)} is not what the answers say: {what}"


def _named(line: bytes | None) -> str:
    told = orjson.loads(line or b"{}")
    where = " ".join(str(told.get(key)) for key in ("policy", "account_id", "region", "resource_arn"))
    return shown(f"{str(told.get('finding_id'))[:12]} ({where})")


def _of_targets(evidence: Evidence, replayed: Replayed) -> Iterator[str]:
    for _, _, line in JSONLines(evidence, COVERAGE):
        if line["source"] in NOT_OF_AN_ACCOUNT:
            continue
        outcomes = replayed.ledger.outcomes(line["account_id"], line["region"]) or {}
        outcome = outcomes.get(line["source"])
        if outcome is None:
            continue  # of a source that no policy needs: it was named already
        counted: dict[str, Any] = {name: getattr(outcome, name) for name in _COMPARED}
        counted |= {"verdict": outcome.verdict, "unjudged": outcome.unjudged or {}}
        for name, found in counted.items():
            if line.get(name) != found:
                where = shown(f"{line['account_id']} {line['region']} {line['source']}")
                yield f"{COVERAGE}: {where}: {name} is {shown(str(line.get(name)))}, and by the answers {found}"
