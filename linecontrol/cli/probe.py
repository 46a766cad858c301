"""`linecontrol probe`: what a technician runs at a new cabinet."""

from __future__ import annotations

import asyncio

from rich.markup import escape
from rich.table import Table

from linecontrol.cli.output import BAD_INPUT, DONE, FAILED, paper, people, print_json
from linecontrol.config import read_line
from linecontrol.core.errors import ConfigError
from linecontrol.line.acceptance import accept, is_accepted, read_acceptances
from linecontrol.line.links import load_libraries
from linecontrol.line.probe import StationProbe, probe, rows


def run_probe(line: str, only: str | None, accept_by: str | None, *, as_json: bool) -> int:
    """Probe the stations of a line; returns the exit code: 3 when one did not pass."""
    try:
        config = read_line(line)
        acceptances = read_acceptances(config)
    except ConfigError as error:
        people.print(str(error), markup=False, soft_wrap=True)
        return BAD_INPUT
    if only is not None and only not in config.stations:
        people.print(f"there is no station {only!r} (accepted: {', '.join(config.stations)})", markup=False)
        return BAD_INPUT
    wanted = [station for name, station in config.stations.items() if only in (None, name)]

    async def all_of_them() -> list[StationProbe]:
        await load_libraries(wanted)  # while an import takes the processor, a cabinet's answer would come too late
        return list(await asyncio.gather(*(probe(station) for station in wanted)))

    found = asyncio.run(all_of_them())
    passed = [one.station for one in found if one.has_passed]
    if accept_by and passed:
        path = accept(config, passed, accept_by)
        acceptances = read_acceptances(config)
        people.print(f"Accepted by {accept_by}: {', '.join(passed)} (written to {path})", markup=False, soft_wrap=True)
    if as_json:
        print_json(
            [
                {
                    "station": one.station,
                    "endpoint": one.endpoint,
                    "passed": one.has_passed,
                    "accepted": is_accepted(config, one.station, acceptances),
                    "error": one.error,
                    "notices": list(one.notices),
                    "tags": rows(one),
                }
                for one in found
            ]
        )
    else:
        for one in found:
            _print(one, accepted=is_accepted(config, one.station, acceptances))
    return DONE if len(passed) == len(found) else FAILED


def _print(one: StationProbe, *, accepted: bool) -> None:
    table = Table(title=f"{one.station}  {escape(one.endpoint)}", title_justify="left", box=None, pad_edge=False)
    for title, justify in (("Tag", "left"), ("Address", "left"), ("Raw", "left"), ("Value", "right"), ("", "left")):
        table.add_column(title, justify=justify)  # type: ignore[arg-type]
    table.add_column("Expected")
    table.add_column("Looks wrong")
    for finding in one.findings:
        value = finding.reading.value
        shown = "-" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
        note = ", ".join(word for word in (finding.problem, finding.hint) if word)
        table.add_row(
            finding.tag.name,
            escape(finding.tag.address),
            finding.raw,
            shown,
            finding.tag.unit,
            finding.expected,
            f"[bold red]{escape(note)}[/bold red]" if note else "",
        )
    if one.error:
        paper.print(f"{one.station}  {one.endpoint}: {one.error}", markup=False, soft_wrap=True)
        return
    paper.print(table)
    for notice in one.notices:
        paper.print(f"{one.station}: {notice}.", markup=False, soft_wrap=True)
    count = sum(bool(finding.problem) for finding in one.findings)
    verdict = f"{count} tags look wrong; writing stays locked" if count else "everything looks right"
    if not count and not accepted:
        verdict += "; writing is locked until somebody accepts it: linecontrol probe --accept YOUR-NAME"
    paper.print(f"{one.station}: {verdict}\n", markup=False, soft_wrap=True)
