"""Options that many commands have, with one name and one help text each."""

from __future__ import annotations

from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON only.")]
Url = Annotated[str | None, typer.Option("--url", help="Address of the controller's API; default: the one running.")]
Who = Annotated[str, typer.Option("--who", help="Your name, for the record.")]
Reason = Annotated[str, typer.Option("--reason", help="Why, for the record.")]
Database = Annotated[
    str | None, typer.Option("--database", help="URL of a history in a database, as in the line file.")
]
LineName = Annotated[str | None, typer.Option("--line", help="Which line, when the history holds several.")]
Language = Annotated[str, typer.Option("--lang", help="en or zh.")]
