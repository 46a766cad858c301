"""How an OPC UA server is reached when it asks who we are: certificates and a user name; rules and paths. Pure but for
looking whether the files are there."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from linecontrol.config.document import Document, Loc
from linecontrol.config.line import ACCESS_FILES, Settings
from linecontrol.core.errors import Problem

_OF_SECURITY = ("certificate", "private_key", "server_certificate")


@dataclass(frozen=True, slots=True)
class Access:
    """The access part of a station's settings, its files as paths that can be opened."""

    security: Literal["none", "sign_and_encrypt"] = "none"
    certificate: Path | None = None
    private_key: Path | None = None
    server_certificate: Path | None = None
    username: str | None = None
    password_file: Path | None = None


def access_of(settings: Settings, line_file: Path) -> Access:
    """The access settings; files are looked for from the line file's folder."""
    files = {key: _path(getattr(settings, key), line_file) for key in ACCESS_FILES}
    return Access(security=settings.security or "none", username=settings.username, **files)


def access_problems(doc: Document, loc: Loc, settings: Settings) -> Iterator[Problem]:
    """Access settings that do not go together, and files that are not there; ``loc`` is that of the settings."""
    is_secure = settings.security == "sign_and_encrypt"
    for key in _OF_SECURITY:
        given = getattr(settings, key) is not None
        if is_secure and not given:
            yield doc.problem((*loc, "security"), f"{settings.security} needs {key}", f"{key}: a file")
        elif given and not is_secure:
            yield doc.problem((*loc, key), "has no meaning without security", "security: sign_and_encrypt")
    if settings.username is not None and not is_secure:
        message = "the password would cross the wire readable"
        yield doc.problem((*loc, "username"), message, "security: sign_and_encrypt")
    if settings.username is not None and settings.password_file is None:
        yield doc.problem((*loc, "username"), "a user name needs its password", "password_file: a file")
    elif settings.password_file is not None and settings.username is None:
        yield doc.problem((*loc, "password_file"), "a password needs its user name", "username: a name")
    for key in ACCESS_FILES:
        path = _path(getattr(settings, key), doc.path)
        if path is None:
            continue
        missing = _missing(path)
        if missing:
            yield doc.problem((*loc, key), f"{path} {missing}", "a file, named from the folder of the line file")
        elif key == "private_key" and path.suffix != ".pem":
            yield doc.problem((*loc, key), f"{path.name} is not accepted", "a file ending in .pem")


def _path(word: str | None, line_file: Path) -> Path | None:
    return line_file.absolute().parent / word if word is not None else None


def _missing(path: Path) -> str:
    """Why it is no file; it need not be readable: whoever checks a line may not be who runs it."""
    try:
        return "" if stat.S_ISREG(path.stat().st_mode) else "is not a regular file"
    except (OSError, ValueError) as error:
        return f"cannot be found: {error.strerror if isinstance(error, OSError) else error}"
