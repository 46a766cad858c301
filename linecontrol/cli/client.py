"""Talks to a running controller over its API, and finds it by the lock it holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx

from linecontrol.cli.output import BAD_INPUT, FAILED, stop
from linecontrol.line.lock import running_controllers


def base_url(url: str | None) -> str:
    """The address given, or the one of the only controller that runs for this user."""
    if url:
        return url.rstrip("/")
    found = [holder for holder in running_controllers() if "api" in holder]
    if not found:
        stop("no controller is running; start one with: linecontrol serve --line demo", FAILED)
    if len(found) > 1:
        rows = "\n".join(f"  --url {holder['api']}   {holder.get('line', '')}" for holder in found)
        stop(f"several controllers are running; say which:\n{rows}", BAD_INPUT)
    return found[0]["api"]


def ask(method: str, url: str | None, path: str, body: dict[str, Any] | None = None) -> Any:
    """One request. A refusal ends the program with its reason: exit 2 for bad input, 3 for what the plant refuses."""
    try:
        answer = httpx.request(method, base_url(url) + path, json=body, timeout=30.0, trust_env=False)
    except httpx.HTTPError as error:
        stop(f"the controller does not answer: {error}", FAILED)
    if answer.is_success:
        return answer.json()
    try:
        detail = answer.json().get("detail", answer.text)
    except ValueError:
        detail = answer.text
    stop(str(detail), BAD_INPUT if answer.status_code in (404, 422) else FAILED)


def data_folder(data: Path | None) -> Path:
    """The folder given, or the user's own."""
    import platformdirs

    return data or Path(platformdirs.user_data_path("linecontrol"))
