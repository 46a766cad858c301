"""The page that describes the API. Its files come from a package: no request leaves the machine.

No script stands in the page itself, so that the browser may be told to run none.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import fastapi_offline
from fastapi import APIRouter, FastAPI, HTTPException, Response
from fastapi.responses import HTMLResponse

from linecontrol.api.bridge import beside
from linecontrol.api.door import Door
from linecontrol.api.gatekeeper import COOKIE

_FOLDER = Path(fastapi_offline.__file__).parent / "static"
_FILES = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "favicon.png": "image/png",
}
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>linecontrol API</title>
<link rel="stylesheet" href="/docs/swagger-ui.css">
<link rel="icon" href="/docs/favicon.png">
</head>
<body>
<div id="swagger-ui"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
"""
_START = """SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  validatorUrl: null,
  presets: [SwaggerUIBundle.presets.apis],
  requestInterceptor: (request) => {
    request.headers["X-Requested-With"] = "linecontrol";
    return request;
  },
});
"""


def docs_routes(door: Door) -> APIRouter:
    """The page under ``/docs`` and its files. In a demo the page makes its browser the demo user's."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/docs")
    @beside
    async def page() -> HTMLResponse:
        """The page."""
        answer = HTMLResponse(_PAGE)
        if door.demo is not None:
            answer.set_cookie(COOKIE, door.demo, path="/", httponly=True, samesite="strict")
        return answer

    @routes.get("/docs/{file}")
    @beside
    async def file(file: str) -> Response:
        """A file of the page."""
        if file == "start.js":
            return Response(_START, media_type="text/javascript")
        if file not in _FILES:
            raise HTTPException(404, f"the page has no file {file!r}")
        content = (_FOLDER / file).read_bytes()
        return Response(content, media_type=_FILES[file], headers={"Cache-Control": "max-age=3600"})

    return routes


def with_log_in(app: FastAPI) -> None:
    """Let the description say how one is known, so that the page can ask for a token."""
    describe = app.openapi

    def described() -> dict[str, Any]:
        found = describe()
        schemes = found.setdefault("components", {}).setdefault("securitySchemes", {})
        schemes["token"] = {"type": "http", "scheme": "bearer", "description": "From POST /session, or a script's"}
        found["security"] = [{"token": []}]
        return found

    app.openapi = described  # type: ignore[method-assign]
