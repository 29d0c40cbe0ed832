"""The endpoints of a client, looked up once for each operation and Region: botocore's rules cost as much as sending."""

from __future__ import annotations

from typing import Any


class Endpoints:
    """Stands in for a client's own resolver of endpoints."""

    def __init__(self, resolver: Any) -> None:
        self._resolver = resolver
        self._known: dict[tuple[str, str | None], Any] = {}

    async def construct_endpoint(
        self, operation_model: Any, call_args: dict[str, Any], request_context: dict[str, Any]
    ) -> Any:
        """Return where to call; no argument of a call that is made here decides on that, but its Region."""
        key = (operation_model.name, request_context.get("signing", {}).get("region"))
        if key not in self._known:
            self._known[key] = await self._resolver.construct_endpoint(
                operation_model, call_args, request_context
            )
        return self._known[key]

    def auth_schemes_to_signing_ctx(self, auth_schemes: Any) -> Any:
        """Return how an endpoint wants calls to be signed."""
        return self._resolver.auth_schemes_to_signing_ctx(auth_schemes)
