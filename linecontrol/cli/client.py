"""Talks to a running controller over its API, and finds it by the lock it holds.

A controller of one's own account is asked with the token it keeps for this computer's command line; any other with the
token that is given.
"""

from __future__ import annotations

import math
import ssl
from pathlib import Path
from typing import Any

from linecontrol.cli.output import BAD_INPUT, FAILED, stop
from linecontrol.line.lock import running_controllers

_given: dict[str, Any] = {"token": None, "tls_ca": None}


def use(token: str | None, tls_ca: Path | None) -> None:
    """What the command line's own options say; for the rest of the program."""
    _given.update(token=token, tls_ca=tls_ca)


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


def certificate_of(url: str) -> Path | None:
    """What a controller of this account shows over TLS; None for one that uses none, or is somewhere else."""
    if _given["tls_ca"] is not None:
        return Path(_given["tls_ca"])
    holder = next((row for row in running_controllers() if row.get("api") == url), {})
    return Path(holder["certificate"]) if "certificate" in holder else None


def console_token(access: Path) -> str | None:
    """The token a controller keeps for the command line of its own account; None when it cannot be read."""
    try:
        return (access / "console.token").read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return None


def ask(method: str, url: str | None, path: str, body: dict[str, Any] | None = None) -> Any:
    """One request. A refusal ends the program with its reason: exit 2 for bad input, 3 for what the plant refuses."""
    import httpx  # slow to import, and no controller that starts asks another

    _refuse_no_numbers(body)
    base = base_url(url)
    holder = next((row for row in running_controllers() if row.get("api") == base), {})
    token = _given["token"] or (console_token(Path(holder["access"])) if "access" in holder else None)
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    try:
        verify = _trusted(base, holder.get("certificate"))
        answer = httpx.request(
            method, base + path, json=body, headers=headers, timeout=30.0, trust_env=False, verify=verify
        )
    except (httpx.HTTPError, OSError) as error:
        stop(f"the controller does not answer: {error}", FAILED)
    if answer.is_success:
        return answer.json() if answer.content else None
    if answer.status_code == 401 and token is None:
        stop(f"{base} asks who you are: give --token or LINECONTROL_TOKEN (see docs/access.md)", FAILED)
    try:
        detail = answer.json().get("detail", answer.text)
    except ValueError:
        detail = answer.text
    stop(str(detail), BAD_INPUT if answer.status_code in (404, 422) else FAILED)


def _refuse_no_numbers(body: Any, name: str = "") -> None:
    """NaN and infinity cannot be sent: typed as a number, they are none that any command takes."""
    if isinstance(body, float) and not math.isfinite(body):
        stop(f"{name} {body} is not accepted (accepted: a finite number)", BAD_INPUT)
    rows = body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ()
    for key, value in rows:
        _refuse_no_numbers(value, str(key) if isinstance(body, dict) else name)


def _trusted(base: str, certificate: str | None) -> ssl.SSLContext | bool:
    """Whom to believe over TLS: a controller here by its very certificate, others as everybody does."""
    if not base.startswith("https:"):
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # trusts nobody, and reads no certificates for nothing
    if _given["tls_ca"] is not None:
        return ssl.create_default_context(cafile=str(_given["tls_ca"]))
    if certificate is None:
        return True
    context = ssl.create_default_context(cafile=certificate)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # this one, whoever signed it
    context.check_hostname = False  # it is known by itself, not by its name
    return context


def data_folder(data: Path | None) -> Path:
    """The folder given, or the user's own."""
    import platformdirs

    return data or Path(platformdirs.user_data_path("linecontrol"))
