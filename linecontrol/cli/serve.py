"""`linecontrol serve`: drive one line until told to stop."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from linecontrol.cli.client import data_folder
from linecontrol.cli.display import Shown, displayed, run_display
from linecontrol.cli.output import BAD_INPUT, DONE, FAILED, people, stop, told_error
from linecontrol.cli.serving import Served, driven, run_event_loop, serving, stop_on_signals
from linecontrol.config import read_line
from linecontrol.core.errors import ConfigError, LineError
from linecontrol.core.model import Event, Severity

if TYPE_CHECKING:
    from linecontrol.api.door import Tls
    from linecontrol.cli.display import Tell
    from linecontrol.line.assembly import Line

LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class Reach:
    """How the API can be reached. ``names``: host names it may be asked for by, besides this computer's own."""

    host: str = "127.0.0.1"
    port: int = 8470
    names: Sequence[str] = ()
    certificate: Path | None = None
    private_key: Path | None = None
    is_self_made: bool = False

    @property
    def has_tls(self) -> bool:
        return self.is_self_made or self.certificate is not None


def run_serve(line: str, data: Path | None, reach: Reach, speed: float, display: tuple[str, int] | None = None) -> int:
    """Serve until SIGTERM or Ctrl-C; returns the exit code. ``display``: its host and port, None for no display."""
    try:
        _check(reach, display)
        return run_event_loop(_serve(line, data, reach, speed, display))
    except ConfigError as error:
        people.print(str(error), markup=False, soft_wrap=True)
        return BAD_INPUT
    except (LineError, OSError) as error:
        people.print(told_error(error), markup=False, soft_wrap=True)
        return FAILED


def _check(reach: Reach, display: tuple[str, int] | None) -> None:
    _check_tls(reach)
    hosts = [("--host", reach.host), *([] if display is None else [("--display-host", display[0])])]
    for option, host in hosts:
        check_host(option, host, has_tls=reach.has_tls)


def _check_tls(reach: Reach) -> None:
    if (reach.certificate is None) != (reach.private_key is None):
        raise ConfigError("--tls-cert and --tls-key go together")
    if reach.is_self_made and reach.certificate is not None:
        raise ConfigError("--tls-self-made or --tls-cert with --tls-key, not both")


def check_host(option: str, host: str, *, has_tls: bool) -> None:
    """Raises ConfigError for an address beyond this computer without TLS."""
    if host not in LOOPBACK and not has_tls:
        raise ConfigError(
            f"{option} {host}: refused without TLS: passwords and commands would cross the network in clear. "
            "Give --tls-cert and --tls-key, or --tls-self-made for a certificate of this computer's own "
            f"(accepted without: {', '.join(LOOPBACK)}; reach it from elsewhere through an SSH tunnel)"
        )


def told(line: Line) -> Tell:
    """What becomes of the display is an event of its line, and an alarm while it is away."""

    def tell(text: str, is_away: bool) -> None:
        line.emit(Event(line.clock.now(), "display.failed", "display", text, Severity.ALARM, active=is_away))

    return tell


def _tls(reach: Reach, folder: Path, names: Sequence[str]) -> Tls | None:
    if not reach.has_tls:
        return None
    from linecontrol.api import tls
    from linecontrol.api.door import Tls

    if reach.certificate is not None and reach.private_key is not None:
        return tls.check(Tls(reach.certificate.resolve(), reach.private_key.resolve()))
    any_host = reach.host in ("0.0.0.0", "::")  # noqa: S104 - looked at, not listened on
    made = tls.self_made(folder / "access", [*names, *(() if any_host else (reach.host,))], datetime.now(UTC))
    people.print(f"Certificate of this computer's own: {made.certificate}", soft_wrap=True)
    people.print(f"  SHA-256 {tls.fingerprint(made.certificate)}", soft_wrap=True)
    return made


def shown_alone(url: str | None, data: Path | None, reach: Reach) -> None:
    """The display of a controller that runs already, in the foreground. Ends the program with 2 for a bad wish."""
    from linecontrol.cli.client import base_url, certificate_of

    base, folder = base_url(url), data_folder(data)
    try:
        _check_tls(reach)
        check_host("--host", reach.host, has_tls=reach.has_tls)
        tls = _tls(reach, folder, reach.names)
    except ConfigError as error:
        stop(str(error), BAD_INPUT)
    certificate = certificate_of(base)
    access = folder / "access"
    run_display(Shown(base, folder, reach.port, reach.host, access, certificate, tls, reach.names))


async def _serve(line_name: str, data: Path | None, reach: Reach, speed: float, display: tuple[str, int] | None) -> int:
    from linecontrol.line.assembly import assemble

    config = read_line(line_name)
    folder = data_folder(data) if data else data_folder(None) / config.line.name
    names = [*config.line.names, *reach.names]
    tls = _tls(reach, folder, names)
    with stop_on_signals() as stop:
        line = assemble(config, data=folder, speed=speed)
        line.listeners.append(lambda event: people.print(log_line(event), markup=False, soft_wrap=True))
        async with driven(line):
            await line.first_look()
            async with serving(line, reach.host, reach.port, must_have_port=True, tls=tls, names=names) as served:
                people.print(
                    f"Line {config.line.name!r} is being driven. API: {served.url}/docs  Data: {folder}", soft_wrap=True
                )
                _tell_of_first(served)
                async with _display(display, served, line, names):
                    await line.ready(stop)
                    await stop.wait()
                people.print("Stopping: the line goes to its safe state.")
    return DONE


@contextlib.asynccontextmanager
async def _display(
    where: tuple[str, int] | None, served: Served, line: Line, names: Sequence[str]
) -> AsyncIterator[None]:
    if where is None:
        yield
        return
    tls = served.door.tls
    shown = Shown(
        served.url,
        line.data,
        where[1],
        where[0],
        access=served.door.folder,
        api_certificate=None if tls is None else tls.certificate,
        tls=tls,
        names=names,
    )
    async with displayed(shown, told(line)) as address:
        if address is not None:
            people.print(f"Display: {address}", soft_wrap=True)
        yield


def log_line(event: Event) -> str:
    """An event for the log: local time, what it is to a person, and its text.

    What ends is told as ``over``, and what follows from an alarm that was told already as ``info``.
    """
    at = datetime.fromtimestamp(event.time, UTC).astimezone()
    level = event.severity.value
    if event.severity is not Severity.INFO and event.active is False:
        level = "over"
    elif event.data.get("annunciated") is False:
        level = Severity.INFO.value
    return f"{at:%Y-%m-%d %H:%M:%S}  {level:8}{event.text}"


def _tell_of_first(served: Served) -> None:
    if served.first_token is None:
        return
    people.print(
        "There is no administrator yet. On this computer: linecontrol users add NAME --role admin\n"
        f"From a browser, once, with this token (also in {served.door.folder}/first-admin.token): {served.first_token}",
        markup=False,
        soft_wrap=True,
    )
