"""What the API takes of a client at most."""

from __future__ import annotations

from typing import Any

from fastapi import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

BODY_BYTES = 64 * 1024  # json.loads keeps the interpreter to itself, and the scans waiting: 64 KiB for about 500 us
STRANGERS, STRANGERS_EACH = 32, 8
"""Requests of people not logged in that may be under way at once: all of them, and of one address."""


class SmallBodies:
    """ASGI middleware: a body is read up to BODY_BYTES, whatever its headers say; then the answer is 413."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        size = 0

        async def counted() -> Message:
            nonlocal size
            message: Any = await receive()
            size += len(message.get("body", b""))
            if size > BODY_BYTES:
                raise HTTPException(413, f"a request of more than {BODY_BYTES // 1024} KiB is not accepted")
            return message  # type: ignore[no-any-return]

        await self._app(scope, counted, send)
