"""The access keys of the estate: the base identity's, and those that AssumeRole mints."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from auditor.simulator.estate import Estate, SimAccount, SimHub
    from auditor.simulator.permissions import Statement


@dataclass(frozen=True, slots=True)
class Key:
    """An access key, and whose it is."""

    id: str
    secret: str = field(repr=False)
    token: str | None = field(repr=False)
    """The session token; None for a user's own key."""
    account_id: str
    arn: str
    user_id: str
    expires_at: float | None = None
    """Epoch seconds; None for never."""
    role_arn: str | None = None
    """Of the role whose session it is, its path included."""
    role_actions: frozenset[str] | None = None
    """What the role allows; None for all."""
    policy: tuple[Statement, ...] | None = None
    """What the session policy leaves of it; None for all."""
    tags: Mapping[str, str] = field(default_factory=dict)
    source_identity: str | None = None


class Keys:
    """Every key that is known, minted ones included; repeatable for a seed and an order of calls."""

    def __init__(self, estate: Estate, clock: Callable[[], float], lifetime: float | None) -> None:
        base = estate.base
        self.clock = clock
        self._lifetime = lifetime
        self._seed = estate.seed
        self._minted = 0
        self.hub: SimHub | None = estate.hub
        self._accounts = {account.id: account for account in estate.accounts}
        user_id = f"AROA{self._digest('base')[:17].upper()}:ci" if base.chained else "AIDAEXAMPLEAUDITOR00A"
        self.base = Key(
            base.access_key, base.secret_key, base.session_token, base.account_id, base.arn, user_id
        )
        self._keys = {self.base.id: self.base}

    def find(self, key_id: str) -> Key | None:
        """Return the key of this id, expired or not."""
        return self._keys.get(key_id)

    def account(self, account_id: str) -> SimAccount | None:
        """Return the account of this id; the base identity's own is none of the estate's."""
        return self._accounts.get(account_id)

    def is_expired(self, key: Key) -> bool:
        """Say whether the time of `key` is over."""
        return key.expires_at is not None and self.clock() >= key.expires_at

    def mint(self, account_id: str, role_name: str, session_name: str, seconds: int, **session: Any) -> Key:
        """Return a new session of a role, good for `seconds` unless the estate's lifetime overrides that.

        :param session: what else the key says of it.
        """
        role_arn = f"arn:aws:iam::{account_id}:role/{role_name}"
        self._minted += 1
        digest = self._digest(f"key/{self._minted}")
        # A role's path stands in its own ARN, not in those of its sessions.
        role_name = role_name.rpartition("/")[2]
        role_id = self._digest(f"role/{account_id}/{role_name}")[:17].upper()
        key = Key(
            f"ASIA{base64.b32encode(bytes.fromhex(digest[:20])).decode()}",
            base64.b64encode(bytes.fromhex(digest[4:])).decode()[:40],
            base64.b64encode(digest.encode() * 3).decode(),
            account_id,
            f"arn:aws:sts::{account_id}:assumed-role/{role_name}/{session_name}",
            f"AROA{role_id}:{session_name}",
            self.clock() + (seconds if self._lifetime is None else self._lifetime),
            role_arn,
            **session,
        )
        self._keys[key.id] = key
        return key

    def _digest(self, text: str) -> str:
        return hashlib.sha256(f"{self._seed}/{text}".encode()).hexdigest()
