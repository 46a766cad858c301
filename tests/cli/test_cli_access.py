"""`linecontrol users`, `tokens` and `audit`, as a person and as a script use them."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import sys
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from linecontrol.api import passwords
from linecontrol.cli.commands import app
from linecontrol.cli.csv_out import write_csv

sys.path.append(str(Path(__file__).parents[1] / "api"))
from access_rig import CHEAP, PASSWORD, Site, site

OTHER = "another long one"


@pytest.fixture(autouse=True)
def _cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "COST", CHEAP)


async def linecontrol(here: Site, *words: str, token: str | None = None, said: str = "") -> Result:
    """In a thread: the API needs the event loop of the line, which is the test's."""
    env = {"LINECONTROL_TOKEN": here.door.console if token is None else token}
    return await asyncio.to_thread(CliRunner().invoke, app, [*words, "--url", here.url], input=said, env=env)


async def test_users_are_added_changed_and_removed(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        made = await linecontrol(
            here, "users", "add", "li", "--role", "operator", "--password-stdin", said=f"{PASSWORD}\n"
        )
        assert made.exit_code == 0, made.output
        assert (await here.log_in("li")).json()["role"] == "operator"
        assert (await linecontrol(here, "users", "role", "li", "technician", "--reason", "tunes")).exit_code == 0
        assert (await here.log_in("li")).json()["role"] == "technician"
        assert (await linecontrol(here, "users", "disable", "li")).exit_code == 0
        assert (await here.log_in("li")).status_code == 401
        assert (await linecontrol(here, "users", "disable", "li", "--undo")).exit_code == 0
        changed = await linecontrol(here, "users", "password", "li", "--password-stdin", said=f"{OTHER}\n")
        assert changed.exit_code == 0
        assert (await here.log_in("li", OTHER)).status_code == 201
        (row,) = json.loads((await linecontrol(here, "users", "list", "--json")).stdout)
        assert (row["name"], row["role"], row["is_enabled"], row["sessions"]) == ("li", "technician", True, 1)
        assert "technician" in (await linecontrol(here, "users", "list")).stdout
        assert (await linecontrol(here, "users", "remove", "li")).exit_code == 0
        assert (await linecontrol(here, "users", "role", "li", "operator")).exit_code == 2
        poor = await linecontrol(here, "users", "add", "wu", "--role", "operator", "--password-stdin", said="1234\n")
        assert (poor.exit_code, "8 to 128" in poor.output) == (2, True)
        asked = await linecontrol(here, "users", "add", "wu", "--role", "operator")
        assert (asked.exit_code, "--password-stdin" in asked.output) == (2, True)
        rows = json.loads((await linecontrol(here, "audit", "--json")).stdout)
        assert "tunes" in [row["why"] for row in rows]
        assert PASSWORD not in json.dumps(rows)
        assert "PATCH" in (await linecontrol(here, "audit", "--outcome", "done")).stdout


async def test_tokens_are_printed_once_and_revoked(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        made = await linecontrol(here, "tokens", "add", "lims", "--role", "operator", "--scope", "view")
        assert made.exit_code == 0, made.output
        token = made.stdout.strip()
        assert (await linecontrol(here, "status", "--json", token=token)).exit_code == 0
        refused = await linecontrol(here, "hold", "x1", token=token)
        assert (refused.exit_code, "no right to halt" in refused.output) == (3, True)
        (row,) = json.loads((await linecontrol(here, "tokens", "list", "--json")).stdout)
        assert (row["scope"], row["made_by"].partition(":")[0]) == (["view"], "operator")
        assert (await linecontrol(here, "tokens", "revoke", row["id"])).exit_code == 0
        assert (await linecontrol(here, "status", token=token)).exit_code == 3


async def test_without_a_token_one_is_asked_who_one_is(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        asked = await linecontrol(here, "status", token="")
        assert (asked.exit_code, "LINECONTROL_TOKEN" in asked.output) == (3, True)


FORMULAS = ["=cmd|' /C calc'!A0", "+1+2", "-2+3", "@SUM(A1)", "\t=1+1", "\r=1+1", " =1", '=HYPERLINK("http://x")']
PLAIN = ["li", "O'Brien", "a=b", "12,4", "a\nb", '"', "湿料"]
NUMBERS = ["-2.5", "+3", "-1e-3"]


def test_no_text_in_a_spreadsheet_is_taken_for_a_formula() -> None:
    """S13, read again as a spreadsheet reads it: what could be computed is marked as text, numbers stay numbers."""
    file = io.StringIO()
    write_csv(file, ["what"], [[text] for text in [*FORMULAS, *PLAIN, *NUMBERS, 3, -4.5, None, float("nan"), True]])
    file.seek(0)
    rows = [row[0] for row in csv.reader(file)][1:]
    assert rows[: len(FORMULAS)] == [f"'{text}" for text in FORMULAS]
    assert rows[len(FORMULAS) :] == [*PLAIN, *NUMBERS, "3", "-4.5", "", "", "true"]


async def test_the_audit_trail_goes_to_a_spreadsheet(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        body = {"name": "li", "role": "operator", "password": PASSWORD, "reason": "=1+1"}
        assert (await here.console.post("/users", json=body)).status_code == 201
        told = await linecontrol(here, "audit", "--csv")
        (row,) = csv.DictReader(io.StringIO(told.stdout))
        assert (row["action"], row["why"], row["outcome"]) == ("POST /users", "'=1+1", "done")
        assert PASSWORD not in told.stdout
