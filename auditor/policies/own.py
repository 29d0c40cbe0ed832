"""A policy of one's own that the configuration says in CEL: its expression is true of what breaks it."""

from __future__ import annotations

import hashlib
import json
from functools import partial
from typing import TYPE_CHECKING

from auditor.config import ExpressionSettings
from auditor.expressions import Program, Template, checked, template_facts
from auditor.model import SOURCES_OF_FACTS, Control
from auditor.policies.contract import Breach, RecordPolicy

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from auditor.model import ExportRecord, Target


class ExpressionPolicy(RecordPolicy[ExpressionSettings]):
    """Judges each record by an expression, which was checked with the configuration."""

    settings_type = ExpressionSettings

    def __init__(
        self, settings: ExpressionSettings, now: datetime, own_accounts: frozenset[str] = frozenset()
    ) -> None:
        super().__init__(settings, now, own_accounts)
        self._expression = Program(settings.expression, now)
        self._message = Template(settings.message, now)

    @classmethod
    def needs(cls, settings: ExpressionSettings) -> frozenset[str]:
        """Return the sources of the facts that the expression and the message mention."""
        facts = checked(settings.expression).mentions.facts | template_facts(settings.message)
        return frozenset().union(*(SOURCES_OF_FACTS[fact] for fact in facts))

    def judge(self, record: ExportRecord) -> Breach | None:
        """Return a breach where the expression is true of the record; it knows no account or Region."""
        return self._judge(None, record)

    def judge_of(self, target: Target) -> Callable[[ExportRecord], Breach | None]:
        """Return the same for the records of `target`, whose account and Region the expression can ask for."""
        return partial(self._judge, target)

    def _judge(self, target: Target | None, record: ExportRecord) -> Breach | None:
        data = self._expression.data(record, target)
        if self._expression.value(data) is not True:
            return None
        evidence = {"expression": self.settings.expression, "fields": self._expression.evidence(data)}
        return Breach(record, self._message.message(record, target), evidence)


def policy_class(settings: ExpressionSettings) -> type[ExpressionPolicy]:
    """Return the policy that these settings say, as a class like any other policy's."""

    class Policy(ExpressionPolicy):
        remediation = settings.remediation
        controls = tuple(Control(each.framework, each.id, each.mapping) for each in settings.controls)

    return Policy


def page(settings: ExpressionSettings) -> str:
    """Return the policy's page."""
    expression = settings.expression.strip().replace("\n", "\n    ")
    return (
        f"{settings.message.strip().splitlines()[0]}\n\nWhat it finds\n    Records of which this is true:\n\n"
        f"    {expression}\n\nWhat to do\n    {settings.remediation.strip()}"
    )


def version(settings: ExpressionSettings) -> str:
    """Return another text wherever any setting of the policy is another."""
    written = json.dumps(settings.model_dump(mode="json"), sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(written.encode("ascii")).hexdigest()[:12]
