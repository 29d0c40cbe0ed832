"""What destinations in AWS have in common: their settings, their client, and what its failures mean to an event."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from pydantic import Field

from auditor.aws.sending import SendAs, Sender
from auditor.config import DestinationSettings
from auditor.delivery.contract import Destination, Later, Refused
from auditor.errors import CallFailed, UsageError

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from auditor.config import Receiver

REGION = "^[a-z]{2}(?:-[a-z]+)+-[0-9]+$"
"""What a Region may be called."""

TOO_LARGE = frozenset(
    {
        "AWS.SimpleQueueService.BatchRequestTooLong",
        "BatchRequestTooLong",
        "EntityTooLarge",
        "RequestEntityTooLarge",
        "RequestEntityTooLargeException",
        "413",
    }
)
"""What a service says of a request that is larger than it takes: the half of it may be taken."""

_GARBAGE = (AttributeError, LookupError, TypeError, ValueError)
"""What botocore's parsers raise of an answer that was JSON, or claimed to be, and nothing of the service's."""


class AmazonSettings(DestinationSettings):
    """What every destination in AWS can be set to."""

    region: Annotated[str, Field(pattern=REGION)] = Field(description="The Region that it is in.")
    role_arn: Annotated[str, Field(pattern="^arn:aws:iam::[0-9]{12}:role/.{1,512}$")] | None = Field(
        default=None,
        description="The role to send with; the base credentials, unless given. The audit's roles only read.",
    )
    external_id: Annotated[str, Field(pattern="^[A-Za-z0-9_+=,.@:/-]{2,1224}$")] | None = Field(
        default=None, repr=False, description="The ExternalId that this role's trust policy asks for."
    )


A = TypeVar("A", bound=AmazonSettings)


class AmazonDestination(Destination[A]):
    """A destination that one service of AWS's is."""

    service: str
    """The name of botocore's client."""

    def __init__(self, receiver: Receiver, settings: A, *, allow_http: bool) -> None:
        super().__init__(receiver, settings, allow_http=allow_http)
        if settings.external_id is not None and settings.role_arn is None:
            raise UsageError(
                f"destination {receiver.name}: external_id stands without role_arn; write the role, or remove it"
            )
        self._sender = self._sender_as(settings.role_arn)

    def _sender_as(self, role_arn: str | None) -> Sender:
        """Return what sends with a role, or the base credentials."""
        settings = self.settings
        return Sender(
            SendAs(
                self.service,
                settings.region,
                role_arn,
                settings.external_id,
                settings.timeout.total_seconds(),
                self.allow_http,
            )
        )

    async def _call(
        self, method: str, sender: Sender | None = None, /, **arguments: Any
    ) -> dict[str, Any] | Refused | Later:
        """Return what the service answers, or what its refusal means to all that was sent.

        :param sender: the destination's own unless given.
        """
        try:
            return await (sender or self._sender).call(method, **arguments)
        except CallFailed as failed:
            failure = failed.failure
            why = ": ".join(filter(None, (failure.error_code or failure.reason, failure.error_message)))
            # What else it may refuse lies with its set-up or the moment, and not with what was sent.
            return Refused(why) if failure.error_code in TOO_LARGE else Later(why)
        except _GARBAGE as error:
            return Later(f"what answered is not {self.service}: {type(error).__name__}")

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Let go of the client."""
        await self._sender.close()

    async def __aenter__(self) -> Self:
        """Open nothing yet: the first call does."""
        return self
