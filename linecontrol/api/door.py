"""The way in before any user is known: the files of this computer's own programs, host names, TLS.

A file here is readable by the user who runs the controller and nobody else; who can read it could as well end the
controller and drive the plant. Every token is new with every start.
"""

from __future__ import annotations

import contextlib
import getpass
import ipaddress
import os
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from linecontrol.api.callers import new_token

CONSOLE, DISPLAY, DEMO, FIRST = "console.token", "display.secret", "demo.token", "first-admin.token"
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True)
class Tls:
    """Certificate and key, PEM."""

    certificate: Path
    private_key: Path


@dataclass(frozen=True)
class Door:
    """How the API is reached.

    Attributes:
        console: token of the command line on this computer, which may speak for others.
        display: with it the display on this computer says at which address its user sits.
        demo: token of the demo user; None = there is none, and nobody is ever logged in by himself.
        names: host names it may be asked for by, besides this computer's own and its addresses.
        is_open: it listens beyond loopback.
    """

    console: str = field(repr=False)
    display: str = field(repr=False, default_factory=lambda: new_token("d"))
    demo: str | None = field(repr=False, default=None)
    console_user: str = "operator"
    names: frozenset[str] = frozenset()
    folder: Path | None = None
    tls: Tls | None = None
    is_open: bool = False

    def write(self, name: str, token: str) -> None:
        """A token as a file that only its owner can read."""
        if self.folder is None:
            return
        self.remove(name)
        fd = os.open(self.folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(fd, "w", encoding="ascii") as file:
            file.write(token + "\n")

    def remove(self, name: str) -> None:
        if self.folder is not None:
            with contextlib.suppress(OSError):
                (self.folder / name).unlink(missing_ok=True)

    def close(self) -> None:
        """The tokens end with the controller."""
        for name in (CONSOLE, DISPLAY, DEMO, FIRST):
            self.remove(name)

    def is_own_host(self, host: str) -> bool:
        """False for a name that was rebound to this computer's address in somebody's browser."""
        name = _host_name(host)
        if name in LOOPBACK:
            return True
        if not self.is_open:
            return False
        return name in self.names or name == socket.gethostname().lower() or _is_address(name)

    def is_own_origin(self, headers: Mapping[str, str]) -> bool:
        """False for a request that a foreign web page makes through somebody's browser."""
        host = headers.get("host", "")
        if not self.is_own_host(host):
            return False
        origin = headers.get("origin")
        if origin is None:
            return True
        try:
            found = urlsplit(origin)
        except ValueError:
            return False
        return found.netloc == host and found.scheme in (("https",) if self.tls else ("http",))


def open_door(
    folder: Path,
    *,
    is_demo: bool = False,
    names: Iterable[str] = (),
    tls: Tls | None = None,
    is_open: bool = False,
) -> Door:
    """New tokens, written into ``folder``. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)
    door = Door(
        new_token("c"),
        demo=new_token("u") if is_demo else None,
        console_user=_os_user(),
        names=frozenset(name.lower() for name in names),
        folder=folder.resolve(),
        tls=tls,
        is_open=is_open,
    )
    door.write(CONSOLE, door.console)
    door.write(DISPLAY, door.display)
    if door.demo is not None:
        door.write(DEMO, door.demo)
    return door


def _os_user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "operator"


def _host_name(host: str) -> str:
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
