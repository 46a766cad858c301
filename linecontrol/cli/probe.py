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
        people.print(
            f"Accepted by {accept_by}: {', '.join(passed)} (written to {path}). "
            "A controller that is running takes it over when it is started again.",
            markup=False,
            soft_wrap=True,
        )
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
    if one.error:
        paper.print(f"{one.station}: cannot be read. {one.error}\n", markup=False, soft_wrap=True)
        return
    paper.print(_table(one))
    for finding in one.findings:  # below the table, where there is room for the whole of it
        if finding.problem:
            text = f"{finding.tag.name} ({finding.tag.address}) looks wrong: {finding.problem}"
            hint = f"; {finding.hint}" if finding.hint else ""
            paper.print(f"{one.station}: {text}{hint}", markup=False, soft_wrap=True, style="bold red")
    for notice in one.notices:
        paper.print(f"{one.station}: {notice}.", markup=False, soft_wrap=True)
    silent = [row.tag.name for row in one.findings if row.reading.value is None and not row.problem]
    if silent:
        text = f"{one.station}: no value of {', '.join(silent)}: there is nothing to measure now (powder, before a run)"
        paper.print(f"{text}, or the sensor has failed.", markup=False, soft_wrap=True)
    paper.print(f"{one.station}: {_verdict(one, accepted=accepted)}\n", markup=False, soft_wrap=True)


def _verdict(one: StationProbe, *, accepted: bool) -> str:
    count = sum(bool(finding.problem) for finding in one.findings)
    if not count:
        unlock = "; writing is locked until somebody accepts it: linecontrol probe --accept YOUR-NAME"
        return f"everything looks right{'' if accepted else unlock}"
    look = "1 tag looks wrong" if count == 1 else f"{count} tags look wrong"
    return f"{look}; {'it was accepted earlier, so writing is not locked' if accepted else 'writing stays locked'}"


def _table(one: StationProbe) -> Table:
    table = Table(title=f"{one.station}  {escape(one.endpoint)}", title_justify="left", box=None, pad_edge=False)
    for title, justify in (("Tag", "left"), ("Address", "left"), ("Raw", "left"), ("Value", "right"), ("", "left")):
        table.add_column(title, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    for title in ("Quality", "Expected", ""):
        table.add_column(title, no_wrap=True)
    for finding in one.findings:
        value = finding.reading.value
        table.add_row(
            finding.tag.name,
            escape(finding.tag.address),
            finding.raw,
            "-" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value),
            finding.tag.unit,
            finding.reading.status.quality.value,
            finding.expected,
            "[bold red]WRONG[/bold red]" if finding.problem else "",
        )
    return table
