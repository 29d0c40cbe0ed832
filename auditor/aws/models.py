"""botocore's descriptions of the services, cut down to the operations that are called."""

from __future__ import annotations

from typing import Any

from botocore.loaders import Loader

from auditor.aws.sources import SOURCES
from auditor.model import ASKED_BESIDES, IMPORT_ACTIONS, ORGANIZATION_ACTIONS

_CALLED = frozenset({*SOURCES, *ASKED_BESIDES, *ORGANIZATION_ACTIONS, *IMPORT_ACTIONS})
"""Each operation as IAM names it. EC2 alone has 800, with 4,000 shapes: 15 MB, and a method of the client for each."""
_CONFINED = frozenset(action.partition(":")[0] for action in _CALLED)
"""Not STS, nor those of single sign-on: botocore itself calls these for the base credentials."""


class ServiceModels(Loader):
    """A loader of botocore's own data, less what nobody calls."""

    def load_service_model(self, service_name: str, type_name: str, api_version: str | None = None) -> Any:
        """Return what botocore has of a service, without the operations that nobody calls."""
        model = super().load_service_model(service_name, type_name, api_version)
        if type_name == "service-2" and service_name in _CONFINED:
            _confine(model, service_name)
        return model


LOADER = ServiceModels()
"""One for all: some of the data is large, and is not to be read twice."""


def _confine(model: dict[str, Any], service: str) -> None:
    """Take out of the loader's own copy, which is to be small, whatever the operations called do not use."""
    operations = {name: told for name, told in model["operations"].items() if f"{service}:{name}" in _CALLED}
    used: set[str] = set()
    _use([operations], model["shapes"], used)
    model["operations"] = operations
    model["shapes"] = {name: shape for name, shape in model["shapes"].items() if name in used}


def _use(told: Any, shapes: dict[str, Any], used: set[str]) -> None:
    """Note every shape that is named in a description, and those that these name."""
    if isinstance(told, list):
        for each in told:
            _use(each, shapes, used)
    elif isinstance(told, dict):
        name = told.get("shape")
        if isinstance(name, str) and name not in used:
            used.add(name)
            _use(shapes[name], shapes, used)
        for each in told.values():
            _use(each, shapes, used)
