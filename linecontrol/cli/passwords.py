"""A password at the command line: asked for without showing it, or read from standard input."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from linecontrol.cli.output import BAD_INPUT, stop

PasswordStdin = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from standard input instead of asking for it.")
]


def ask_password(*, from_stdin: bool, is_new: bool) -> str:
    """A password; a new one is asked for twice. Ends the command when nobody is there to be asked."""
    if from_stdin:
        return sys.stdin.readline().rstrip("\n")
    if not sys.stdin.isatty():
        stop("nobody is there to be asked for a password; give it with --password-stdin", BAD_INPUT)
    found: str = typer.prompt("Password", hide_input=True, confirmation_prompt=is_new, err=True)
    return found
