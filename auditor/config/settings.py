"""What can be set: of a policy and of a destination, of which each makes its own, and the limits of a run."""

from datetime import timedelta
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic_core import PydanticCustomError

from auditor.config.durations import Duration
from auditor.model import Severity

MOST_CONCURRENT = 1_024
"""Requests in flight: beyond this a process runs out of sockets, not of patience."""


class PolicySettings(BaseModel):
    """The settings that every policy has; a policy's own class adds to these, and gives its severity."""

    # Strict, or pydantic would take true for 1 and "640" for 640, which the JSON Schema refuses.
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True, allow_inf_nan=False)

    enabled: bool = Field(default=True, description="false switches the policy off.")
    severity: Severity = Field(
        default=Severity.MEDIUM, description="How much a finding of this policy matters."
    )

    @field_validator("severity", mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        if not isinstance(value, str):
            raise PydanticCustomError("severity_type", "a severity is text")
        try:
            return Severity(value)
        except ValueError:
            raise PydanticCustomError("severity", "unknown severity") from None


class Limits(BaseModel):
    """How much a run may take; the command line can override it."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True)

    concurrency: Annotated[int, Field(ge=1, le=MOST_CONCURRENT)] = Field(
        default=64, description="Requests in flight over the whole run, 1 to 1024."
    )
    request_timeout: Duration = Field(
        default=timedelta(seconds=20), description="How long one request may take before it is tried again."
    )
    deadline: Duration = Field(
        default=timedelta(minutes=30), description="How long the whole run may take, roles included."
    )


class DestinationSettings(BaseModel):
    """The settings that every destination has; each kind's own class adds to these.

    A kind that needs a secret has two settings for it, `…_env` and `…_file`, which both may be None. One of the two
    has to be written, unless the kind lists the secret's name in `optional_secrets`.
    """

    optional_secrets: ClassVar[frozenset[str]] = frozenset()

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True, allow_inf_nan=False)

    type: str = Field(description="What kind of destination it is.")
    send: Literal["all", "changes"] = Field(
        default="all", description="all, or changes: what is merely recurring is left out then."
    )
    timeout: Duration = Field(
        default=timedelta(seconds=20), description="How long one request may take before it is tried again."
    )
    drain: Duration = Field(
        default=timedelta(seconds=30),
        description="How long the end of a run waits for it; what is left is sent by the next run, or `auditor deliver`.",
    )

    @property
    def dialect(self) -> str | None:
        """The version of OCSF that it is told in; None where it is told in JSON of ours."""
        return None
