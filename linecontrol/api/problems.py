"""Errors as RFC 9457 problem details, in one place."""

from __future__ import annotations

import math
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from linecontrol.core.errors import ConfigError, LineError, StateError, StorageError


class Refused(LineError):
    """Name or password is wrong, or the token; which of them nobody is told."""


class NotSigned(LineError):
    """The password given once more, to sign for something, is wrong. Who asks is known and stays logged in."""

    def __init__(self) -> None:
        super().__init__("name or password is wrong: nothing was changed")


NOT_SIGNED = "urn:linecontrol:problem:not-signed"
"""``type`` of the problem that a failed signature is answered with."""


class TooOften(LineError):
    """Too many failed tries; ``wait_s``: when the next is judged."""

    def __init__(self, wait_s: float) -> None:
        self.wait_s = wait_s
        super().__init__(f"too many failed tries; the next is looked at in {math.ceil(wait_s)} s")


class Problem(BaseModel):
    """RFC 9457 problem details."""

    type: str = Field("about:blank", examples=["about:blank", "urn:linecontrol:problem:not-signed"])
    title: str = Field(examples=["Conflict"])
    status: int = Field(examples=[409])
    detail: str = Field(examples=["FV-104 is held by loop:FIC-104: FIC-104 is in Remote"])
    instance: str = Field("", examples=["/commands"])
    errors: list[dict[str, Any]] = Field(default_factory=list, description="Each wrong field and what is accepted.")


PROBLEM_RESPONSES: dict[int | str, dict[str, Any]] = {
    code: {"model": Problem, "content": {"application/problem+json": {}}, "description": text}
    for code, text in {
        401: "Not known, or not by this password",
        403: "Without the right to it, or signed with a wrong password: the type of that is "
        "urn:linecontrol:problem:not-signed",
        404: "There is no such thing",
        409: "Not possible now; the detail says why",
        422: "A value is not accepted; errors say which and what is",
        429: "Too many failed tries; the detail says how long to wait",
        502: "The device did not do it",
    }.items()
}


def responses(*codes: int) -> dict[int | str, dict[str, Any]]:
    """Those of the problem responses that a router's routes give."""
    return {code: PROBLEM_RESPONSES[code] for code in codes}


def problem(
    request: Request, status: int, detail: str, errors: list[dict[str, Any]] | None = None, kind: str = "about:blank"
) -> Response:
    """The answer; ``kind`` is its ``type``, for what a program must tell from others of its status."""
    body = Problem(
        type=kind,
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        instance=request.url.path,
        errors=errors or [],
    )
    # Written by pydantic: a refused NaN that is told of becomes null, where json.dumps would fail on it.
    return Response(body.model_dump_json(), status_code=status, media_type="application/problem+json")


def install(app: FastAPI) -> None:
    """Map every error of ours, of FastAPI and of Starlette."""

    @app.exception_handler(ConfigError)
    async def _config(request: Request, error: ConfigError) -> Response:
        rows = [{"field": p.key, "message": p.message, "accepted": p.accepted} for p in error.problems]
        return problem(request, 422, str(error), rows)

    @app.exception_handler(Refused)
    async def _refused(request: Request, error: Refused) -> Response:
        return problem(request, 401, str(error))

    @app.exception_handler(NotSigned)
    async def _not_signed(request: Request, error: NotSigned) -> Response:
        return problem(request, 403, str(error), kind=NOT_SIGNED)

    @app.exception_handler(TooOften)
    async def _too_often(request: Request, error: TooOften) -> Response:
        answer = problem(request, 429, str(error))
        answer.headers["Retry-After"] = str(math.ceil(error.wait_s))
        return answer

    @app.exception_handler(StateError)
    async def _state(request: Request, error: StateError) -> Response:
        return problem(request, 409, str(error))

    @app.exception_handler(StorageError)
    async def _storage(request: Request, error: StorageError) -> Response:
        return problem(request, 503, str(error))

    @app.exception_handler(LineError)
    async def _line(request: Request, error: LineError) -> Response:
        return problem(request, 502, str(error))

    @app.exception_handler(RequestValidationError)
    async def _validation(request: Request, error: RequestValidationError) -> Response:
        rows = [{"field": ".".join(str(x) for x in e["loc"]), "message": e["msg"]} for e in error.errors()]
        return problem(request, 422, "; ".join(f"{row['field']}: {row['message']}" for row in rows), rows)

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> Response:
        return problem(request, error.status_code, str(error.detail))

    @app.exception_handler(Exception)
    async def _ours(request: Request, _: Exception) -> Response:
        """A fault of this program. Its traceback goes to the controller's log, and not to whoever asks."""
        return problem(request, 500, "the controller failed at this; its log says how")
