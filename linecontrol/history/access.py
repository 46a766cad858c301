"""Users, sessions and tokens of one line, as they are kept. Blocking: call it from a thread.

Small tables that are read once and written seldom; who asks the API is looked up in memory, never here. Times are real
time [s since 1970, UTC], not line time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from linecontrol.history.small_store import SmallStore


@dataclass(frozen=True, slots=True)
class UserRow:
    """A person. ``password_hash``: argon2id with its own salt; empty = no password can be right."""

    id: str
    name: str
    role: str
    password_hash: str
    language: str
    is_enabled: bool
    created_at: float


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A session that has not ended. Of its token only the SHA-256 is kept.

    ``proved_at``: when its user last gave the password. ``seen_at``: when its user last did something, to the minute.
    """

    id: str
    user_id: str
    token_hash: str
    created_at: float
    proved_at: float
    seen_at: float
    address: str


@dataclass(frozen=True, slots=True)
class TokenRow:
    """A token for a script. ``scope``: rights it is narrowed to, empty = all. ``expires_at``: None = never."""

    id: str
    name: str
    token_hash: str
    role: str
    scope: tuple[str, ...]
    made_by: str
    created_at: float
    expires_at: float | None


AccessRow = UserRow | SessionRow | TokenRow

_TABLES: dict[type[Any], str] = {UserRow: "user_account", SessionRow: "user_session", TokenRow: "api_token"}


class AccessStore:
    """Keeps them in the database of a history that is open. Every write is durable when it returns.

    Raises StorageError for whatever the database says.
    """

    def __init__(self, url: str, line: str) -> None:
        self._store = SmallStore(url, line, _TABLES, "users and sessions")

    def users(self) -> list[UserRow]:
        return self._store.all(UserRow)

    def sessions(self) -> list[SessionRow]:
        return self._store.all(SessionRow)

    def tokens(self) -> list[TokenRow]:
        return self._store.all(TokenRow)

    def save(self, *rows: AccessRow) -> None:
        """Keep these rows, in one transaction; a row with an id that is there already takes its place."""
        self._store.save(*rows)

    def remove(self, *rows: AccessRow) -> None:
        """Forget these rows, in one transaction."""
        self._store.remove(*rows)
