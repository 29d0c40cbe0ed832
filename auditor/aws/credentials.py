"""The credentials of an assumed role, as botocore's signer takes them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Self


@dataclass(frozen=True, slots=True)
class SessionCredentials:
    """One assumed session's keys; nothing of it is ever printed."""

    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    token: str = field(repr=False)

    async def get_frozen_credentials(self) -> Self:
        """Return itself: it never changes."""
        return self

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not be shown."""
        return (self.secret_key, self.token, self.access_key)
