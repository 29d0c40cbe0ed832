from __future__ import annotations

from typing import TYPE_CHECKING, Any

import botocore.session
import pytest
from botocore.config import Config

if TYPE_CHECKING:
    from collections.abc import Callable

    from auditor.simulator.server import Running


@pytest.fixture
def client_of() -> Callable[..., Any]:
    """A client of botocore's for a service, as an account of the estate by its number."""

    def client(running: Running, service: str, number: int = 0, region: str = "us-east-1") -> Any:
        session = botocore.session.get_session()
        options: dict[str, Any] = {
            "endpoint_url": running.url,
            "config": Config(retries={"mode": "standard", "total_max_attempts": 1}),
        }
        base, account = running.estate.base, running.estate.accounts[number]
        sts: Any = session.create_client(
            "sts",
            "us-east-1",
            aws_access_key_id=base.access_key,
            aws_secret_access_key=base.secret_key,
            **options,
        )
        role = sts.assume_role(
            RoleArn=account.role_arn, RoleSessionName="test", ExternalId=account.external_id
        )
        keys = role["Credentials"]
        return session.create_client(
            service,
            region,
            aws_access_key_id=keys["AccessKeyId"],
            aws_secret_access_key=keys["SecretAccessKey"],
            aws_session_token=keys["SessionToken"],
            **options,
        )

    return client
