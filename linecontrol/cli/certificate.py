"""`linecontrol certificate`: what the controller shows to encrypted OPC UA servers."""

from __future__ import annotations

import socket
from pathlib import Path

import typer

from linecontrol.cli.output import DONE, people, print_json
from linecontrol.links.certificates import make_certificate, utc_now


def run_certificate(out: Path, host: str | None, *, as_json: bool) -> int:
    """Make key and certificate and say where they are. Raises ConfigError, OSError."""
    made = make_certificate(out, host or socket.gethostname(), utc_now())
    facts = {
        "certificate": str(made.certificate),
        "private_key": str(made.private_key),
        "application_uri": made.application_uri,
        "sha256": made.fingerprint,
        "valid_until": f"{made.valid_until:%Y-%m-%d}",
    }
    if as_json:
        print_json(facts)
        return DONE
    for name, value in facts.items():
        typer.echo(f"{name:<16} {value}")
    people.print("Let the server trust the certificate; keep the key here. See docs/technician.md.")
    return DONE
