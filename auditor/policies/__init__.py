"""The policies: pure judgements of records. No client, clock or file is in sight here."""

from auditor.policies.catalogue import Entry, built_in, catalogue, catalogue_of
from auditor.policies.contract import Breach, Judgement, Policy, RecordPolicy, Resource, TargetPolicy
from auditor.policies.judging import Crash, Found, Panel, TargetJudge, actions_of, sources_of

__all__ = [
    "Breach",
    "Crash",
    "Entry",
    "Found",
    "Judgement",
    "Panel",
    "Policy",
    "RecordPolicy",
    "Resource",
    "TargetJudge",
    "TargetPolicy",
    "actions_of",
    "built_in",
    "catalogue",
    "catalogue_of",
    "sources_of",
]
