from __future__ import annotations

from typing import Any

import pytest
from aiobotocore.session import AioSession
from botocore.loaders import Loader
from botocore.model import ServiceModel

from auditor.aws.models import ServiceModels
from auditor.aws.sources import SOURCES, Source


@pytest.mark.parametrize("source", SOURCES.values(), ids=lambda source: source.id)
async def test_every_source_has_its_method_and_its_shapes_left(source: Source) -> None:
    session: Any = AioSession()
    session.register_component("data_loader", ServiceModels())
    service, operation = source.id.split(":")
    async with session.create_client(
        service, "us-east-1", aws_access_key_id="a", aws_secret_access_key="b"
    ) as client:
        assert callable(getattr(client, source.method))
    confined = ServiceModel(ServiceModels().load_service_model(service, "service-2"))
    whole = ServiceModel(Loader().load_service_model(service, "service-2"))
    for side in ("input_shape", "output_shape"):
        left = getattr(confined.operation_model(operation), side)
        assert left.members.keys() == getattr(whole.operation_model(operation), side).members.keys()


@pytest.mark.parametrize("service", ["ec2", "lightsail", "organizations", "account"])
def test_what_nobody_calls_is_left_out(service: str) -> None:
    confined = ServiceModels().load_service_model(service, "service-2")
    whole = Loader().load_service_model(service, "service-2")
    assert 0 < len(confined["operations"]) < 10 < len(whole["operations"])
    assert len(confined["shapes"]) < len(whole["shapes"])


@pytest.mark.parametrize("service", ["sts", "sso", "sso-oidc"])
def test_what_base_credentials_may_come_from_is_whole(service: str) -> None:
    confined = ServiceModels().load_service_model(service, "service-2")
    assert (
        confined["operations"].keys()
        == Loader().load_service_model(service, "service-2")["operations"].keys()
    )
