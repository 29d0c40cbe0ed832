"""Which Regions are on, by the account's own word."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import anyio
import pytest
from botocore.exceptions import ClientError

from auditor.aws.clients import CALL_AS
from auditor.aws.credentials import SessionCredentials
from auditor.aws.opt_in import EnabledRegions, published_regions
from auditor.aws.slots import Slot
from auditor.errors import CallFailed
from auditor.model import Account, Reason

ACCOUNT = Account("111122223333", None, "arn:aws:iam::111122223333:role/R", None, "s", 3_600, ("us-east-1",))
KEY = SessionCredentials("AKIA", "secret", "token")
PAGES: dict[str | None, dict[str, Any]] = {
    None: {"Regions": [{"RegionName": "ap-east-1", "RegionOptStatus": "DISABLED"}], "NextToken": "more"},
    "more": {
        "Regions": [
            {"RegionName": "eu-south-2", "RegionOptStatus": "ENABLED"},
            {"RegionName": "us-east-1", "RegionOptStatus": "ENABLED_BY_DEFAULT"},
            {"RegionName": "me-south-1", "RegionOptStatus": "WHO_KNOWS"},
            "odd",
        ]
    },
}


class AccountClient(SimpleNamespace):
    """In the place of botocore's client."""

    def __init__(self, error: str | None = None) -> None:
        super().__init__(asked=[], error=error)

    async def list_regions(self, **asked: Any) -> dict[str, Any]:
        self.asked.append(asked)
        await anyio.lowlevel.checkpoint()
        if self.error:
            raise ClientError({"Error": {"Code": self.error, "Message": "no"}}, "ListRegions")
        return PAGES[asked.get("NextToken")]


def enabled(client: AccountClient) -> EnabledRegions:
    clients = SimpleNamespace(account=client, recorder=None, base_secrets=())
    return EnabledRegions(clients, 5.0)  # type: ignore[arg-type]


def slot() -> Slot:
    return Slot(anyio.Semaphore(4))


async def test_an_account_says_of_each_region_whether_it_is_on_and_is_asked_once() -> None:
    client = AccountClient()
    word = enabled(client)
    said: dict[str, bool | None] = {}

    async def ask(region: str) -> None:
        said[region] = await word.is_off(ACCOUNT, region, slot(), KEY)

    async with anyio.create_task_group() as group:
        for region in ("ap-east-1", "eu-south-2", "us-east-1", "me-south-1", "nowhere-1"):
            group.start_soon(ask, region)
    assert said == {
        "ap-east-1": True,
        "eu-south-2": False,
        "us-east-1": False,
        "me-south-1": None,
        "nowhere-1": None,
    }
    assert [asked.get("NextToken") for asked in client.asked] == [None, "more"]
    assert {(asked[CALL_AS].credentials, asked[CALL_AS].region) for asked in client.asked} == {
        (KEY, "us-east-1")
    }


@pytest.mark.parametrize("token", [[], ["more"], {"more": 1}, 7, True, ""])
async def test_a_token_that_is_no_text_ends_what_is_told(token: object) -> None:
    regions = [{"RegionName": "ap-east-1", "RegionOptStatus": "DISABLED"}]

    async def told(**_: Any) -> dict[str, Any]:
        await anyio.lowlevel.checkpoint()
        return {"Regions": regions, "NextToken": token}

    client: Any = SimpleNamespace(list_regions=told)
    assert await enabled(client).is_off(ACCOUNT, "ap-east-1", slot(), KEY) is True


async def test_a_role_that_may_not_ask_proves_nothing_and_is_not_asked_again() -> None:
    client = AccountClient("AccessDeniedException")
    word = enabled(client)
    assert await word.is_off(ACCOUNT, "ap-east-1", slot(), KEY) is None
    assert await word.is_off(ACCOUNT, "ap-east-1", slot(), KEY) is None
    assert len(client.asked) == 1


async def test_lightsails_word_is_its_names_or_a_failure() -> None:
    async def names(**_: Any) -> dict[str, Any]:
        return {"regions": [{"name": "us-east-1"}, {"name": 7}, "odd"]}

    async def nothing(**_: Any) -> dict[str, Any]:
        return {}

    told: Any = SimpleNamespace(lightsail=SimpleNamespace(get_regions=names), recorder=None, base_secrets=())
    assert await published_regions(told, ACCOUNT, KEY, 5.0) == {"us-east-1"}
    untold: Any = SimpleNamespace(
        lightsail=SimpleNamespace(get_regions=nothing), recorder=None, base_secrets=()
    )
    with pytest.raises(CallFailed) as failed:
        await published_regions(untold, ACCOUNT, KEY, 5.0)
    assert failed.value.failure.reason is Reason.BAD_RESPONSE
