"""How events are told: as JSON of ours, or in OCSF; the outbox keeps the first, and the second is made of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol

from pydantic import Field

from auditor import __version__
from auditor.config import DestinationSettings
from auditor.errors import Untellable, UsageError
from auditor.formats.gap_groups import SCHEMA as GAP_SCHEMA
from auditor.formats.gap_groups import gap_said
from auditor.formats.ocsf_event import Dialect
from auditor.formats.ocsf_finding import finding_event
from auditor.formats.ocsf_gap import gap_event
from auditor.formats.ocsf_run import run_event
from auditor.history.documents import finding_of_document

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeAlias

    from auditor.config import Receiver
    from auditor.formats import JudgedPolicy

    Form: TypeAlias = "Callable[[dict[str, Any]], dict[str, Any]]"
    """Returns an event as it is told, made of that of the outbox, which may be cut: `truncated` is true then.

    It raises `Untellable` for one that does not say what the form needs.
    """


class Say(Protocol):
    """A form for every run."""

    def __call__(self, told: dict[str, Any], *, said_at: str | None) -> dict[str, Any]:
        """Return the event as `Form` does.

        :param said_at: when the run began that says so; None where it is not known.
        """


_RUN_SCHEMA = "auditor.run/1"
OcsfVersion = Literal["1.8.0", "1.6.0", "1.3.0"]


class FreeForm(DestinationSettings):
    """What a destination can be set to that takes any JSON: its settings class has this as one of its bases."""

    format: Literal["json", "ocsf"] = Field(
        default="json", description="json, as this documentation has it, or ocsf."
    )
    ocsf_version: OcsfVersion = Field(
        default="1.8.0", description="With format: ocsf, the version that its receiver speaks."
    )

    @property
    def dialect(self) -> str | None:
        """The version of OCSF that it is told in."""
        return self.ocsf_version if self.format == "ocsf" else None


def say_of(receiver: Receiver, policies: Mapping[str, JudgedPolicy]) -> Say | None:
    """Return how a destination is told; None is as the outbox has it.

    :param policies: those that there are, by id, whose titles stand in what is told.
    :raises UsageError: where its settings contradict one another.
    """
    settings = receiver.settings
    if settings.dialect is not None:
        return _in_ocsf(Dialect(settings.dialect, __version__, policies))
    if "ocsf_version" in settings.model_fields_set:
        raise UsageError(
            f"destination {receiver.name}: ocsf_version stands without format: ocsf; write that, or remove it"
        )
    return None


def _in_ocsf(dialect: Dialect) -> Say:
    def say(told: dict[str, Any], *, said_at: str | None) -> dict[str, Any]:
        try:
            return _ocsf_event(dialect, dict(told), said_at)
        except (KeyError, TypeError, ValueError) as error:
            why = f"{type(error).__name__}: {error}"
            raise Untellable(f"it can't be told in OCSF {dialect.version}: {why}") from error

    return say


def _ocsf_event(dialect: Dialect, told: dict[str, Any], said_at: str | None) -> dict[str, Any]:
    beside = {"truncated": True} if told.pop("truncated", False) else {}
    if told["schema"] == GAP_SCHEMA:
        return gap_event(dialect, told, gap_said(told), beside)
    if told["schema"] == _RUN_SCHEMA:
        return run_event(dialect, told, beside)
    finding = finding_of_document(told)
    return finding_event(dialect, finding, said_at or finding.observed_at, beside)
