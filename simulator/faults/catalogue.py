"""All kinds of faults by name, in groups by where the trouble sits; the command line, docs and tests enumerate it."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping
from typing import Any

from simulator.faults import instruments, plc, power, process_dry, process_wet, wire
from simulator.faults.kind import Kind
from simulator.faults.scene import Scene, Undo

GROUPS: Mapping[str, tuple[Kind, ...]] = {
    "wire": wire.KINDS,
    "PLC": plc.KINDS,
    "instruments": instruments.KINDS,
    "wet process": process_wet.KINDS,
    "dry process": process_dry.KINDS,
    "site": power.KINDS,
}
CATALOGUE: Mapping[str, Kind] = {kind.name: kind for kinds in GROUPS.values() for kind in kinds}
LIBRARY: Mapping[str, Callable[[Scene, Any], Undo]] = {name: kind.begin for name, kind in CATALOGUE.items()}
"""What each fault does, by name."""

WRITTEN = "NAME:PLACE[:ARGUMENT][@START[+DURATION]]"


def listing(width: int = 100) -> str:
    """The catalogue as text for a terminal."""
    lines = [
        f"A fault is written {WRITTEN}, times in plant seconds:",
        "without START at once, without DURATION for good.",
    ]
    for group, kinds in GROUPS.items():
        lines += ["", group.upper()]
        for kind in kinds:
            lines += ["", f"  {kind.form}{'   (momentary)' if kind.is_momentary else ''}"]
            if kind.argument.meaning:
                lines += textwrap.wrap(kind.argument.meaning, width, initial_indent=" " * 4, subsequent_indent=" " * 4)
            for paragraph in kind.story.split("\n\n"):
                text = " ".join(paragraph.split())
                lines += textwrap.wrap(text, width, initial_indent=" " * 4, subsequent_indent=" " * 4)
    return "\n".join(lines)


def chapter() -> str:
    """The catalogue in Markdown, as the guide has it."""
    lines: list[str] = []
    for group, kinds in GROUPS.items():
        lines += [f"## {group[0].upper()}{group[1:]}", ""]
        for kind in kinds:
            lines += [f"### {kind.name}", "", f"`{kind.form}`" + (" (momentary)" if kind.is_momentary else ""), ""]
            if kind.argument.meaning:
                lines += [*textwrap.wrap(f"*{kind.argument.meaning}*", 120), ""]
            for paragraph in kind.story.split("\n\n"):
                lines += [*textwrap.wrap(" ".join(paragraph.split()), 120), ""]
            lines += [f"Example: `{kind.example}`", ""]
    return "\n".join(lines)
