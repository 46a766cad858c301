"""Connections as the API takes them: who is slow to ask costs nobody else anything.

Policy: headers within HEAD_S, the whole request within REQUEST_S, or the connection is closed. Beyond CONNECTIONS the
one that has waited longest with nothing asked is closed for the new one; one with a request under way never is.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_S = 5.0
REQUEST_S = 15.0
CONNECTIONS = 200


class PatientProtocol(HttpToolsProtocol):
    """uvicorn's protocol with limits on what has not asked yet. Which wait is kept per server state."""

    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        waiting = self._waiting()
        waiting[self] = None
        if len(self.connections) > CONNECTIONS:
            oldest = next(iter(waiting))
            oldest.transport.abort()
            waiting.pop(oldest, None)
        self._give(HEAD_S)

    def connection_lost(self, exc: Exception | None) -> None:
        self._give(None)
        self._waiting().pop(self, None)
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._give(HEAD_S)

    def on_headers_complete(self) -> None:
        self._waiting().pop(self, None)
        self._give(REQUEST_S)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._give(None)
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if not self.transport.is_closing():
            self._waiting()[self] = None  # idle, and closed by uvicorn's own time-out

    def handle_websocket_upgrade(self) -> None:
        self._give(None)
        self._waiting().pop(self, None)
        super().handle_websocket_upgrade()

    def _give(self, seconds: float | None) -> None:
        """So long for what comes next; None = as long as it takes."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if seconds is None else self.loop.call_later(seconds, self.transport.abort)

    def _waiting(self) -> dict[PatientProtocol, None]:
        """Connections of this server with nothing asked, the longest-waiting first."""
        state: Any = self.server_state
        found: dict[PatientProtocol, None] = state.__dict__.setdefault("waiting", {})
        return found
