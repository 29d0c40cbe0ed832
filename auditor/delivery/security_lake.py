"""Security Lake: OCSF as Parquet, under the prefix and in the partitions of a custom source.

Findings and gaps are one source, the events of runs another, since a source holds one class. An object is a batch of
one partition: ext/SOURCE/region=REGION/accountId=ACCOUNT/eventDay=YYYYMMDD/part-POSITION-HASH.parquet.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated, Any

import orjson
from anyio import to_thread
from pydantic import Field

from auditor.delivery.contract import Limits
from auditor.delivery.forms import OcsfVersion  # noqa: TC001 -- pydantic reads it
from auditor.delivery.lake_parquet import LARGEST_CELL, parquet_of
from auditor.delivery.objects import BucketDestination, BucketSettings, name_of
from auditor.errors import UsageError
from auditor.formats.ocsf_event import SCAN_ACTIVITY
from auditor.model import how_to_install

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from auditor.config import Receiver
    from auditor.delivery.contract import Receipt
    from auditor.history import Due, Event

_MEBIBYTE = 1024 * 1024
_ACCOUNT = "^[0-9]{12}$"
_REGION = re.compile("[a-z]{2}(?:-[a-z]+)+-[0-9]+")
_OF_RUNS = "-run"
_LONGEST_SOURCE = 20 - len(_OF_RUNS)
"""Security Lake API reference, CreateCustomLogSource: a source's name has at most 20 characters."""


class Settings(BucketSettings):
    """The settings of a custom source."""

    source: Annotated[str, Field(max_length=_LONGEST_SOURCE, pattern="^[A-Za-z0-9_-]+$")] = Field(
        default="auditor",
        description=f"The custom source of findings and gaps; that of runs is called the same, and {_OF_RUNS}.",
    )
    source_version: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-][A-Za-z0-9._-]{0,31}$")] | None = Field(
        default=None, description="The version that both sources were made with, where they have one."
    )
    account_id: Annotated[str, Field(pattern=_ACCOUNT)] = Field(
        description="The account under which that stands which is of none, in the Region of the bucket."
    )
    ocsf_version: OcsfVersion = Field(default="1.3.0", description="The version of OCSF.")
    run_role_arn: Annotated[str, Field(pattern="^arn:aws:iam::[0-9]{12}:role/.{1,512}$")] | None = Field(
        default=None, description="The role to put the events of runs with; role_arn, unless given."
    )

    @property
    def dialect(self) -> str:
        """The version of OCSF: there is no other form."""
        return self.ocsf_version


class Kind(BucketDestination[Settings]):
    """An object is there whole or not at all, and one that is put twice is the same one."""

    settings_type = Settings

    def __init__(self, receiver: Receiver, settings: Settings, *, allow_http: bool) -> None:
        super().__init__(receiver, settings, allow_http=allow_http)
        if find_spec("pyarrow") is None:
            raise UsageError(
                f"destination {receiver.name}: pyarrow is not installed; {how_to_install('parquet')}"
            )
        self._sender_of_runs = self._sender_as(settings.run_role_arn or settings.role_arn)

    @property
    def limits(self) -> Limits:
        """As few objects as memory allows: all of a partition that a night has, nearly always."""
        return Limits(5_000, 8 * _MEBIBYTE, LARGEST_CELL)

    def lane(self, event: Event) -> str:
        """Return the partition that an event belongs to, as the folder of its object."""
        told: dict[str, Any] = orjson.loads(event.body)
        settings, cloud = self.settings, told["cloud"]
        account_id = cloud.get("account", {}).get("uid", "")
        region = cloud.get("region", "")
        if not re.fullmatch(_ACCOUNT, account_id):
            account_id = settings.account_id
        if not _REGION.fullmatch(region):
            region = settings.region
        source = settings.source + (_OF_RUNS if told["class_uid"] == SCAN_ACTIVITY.uid else "")
        day = datetime.fromtimestamp(told["time"] / 1_000, UTC)
        version = f"{settings.source_version}/" if settings.source_version else ""
        return f"ext/{source}/{version}region={region}/accountId={account_id}/eventDay={day:%Y%m%d}"

    async def send(self, batch: Sequence[Due]) -> Sequence[Receipt]:
        """Put these events, all of one partition, as one object."""
        folder = self.lane(batch[0].event)
        of_runs = folder.startswith(f"ext/{self.settings.source}{_OF_RUNS}/")
        events = [orjson.loads(due.event.body) for due in batch]
        body = await to_thread.run_sync(parquet_of, events)
        receipt = await self._put(
            f"{folder}/{name_of(batch, '.parquet')}",
            body,
            "application/vnd.apache.parquet",
            self._sender_of_runs if of_runs else None,
        )
        return [receipt] * len(batch)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Let go of both clients."""
        await self._sender_of_runs.close()
        await super().__aexit__(kind, error, traceback)
