"""Commands whose modules are loaded when they are asked for: `linecontrol status` waits for none of the others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command, get_group

ELSEWHERE = {
    "alarms": "alarms:app",
    "interlocks": "interlocks:app",
    "deviations": "quality:deviations_app",
    "calibrations": "quality:calibrations_app",
    "history": "history:app",
    "lab": "lab:app",
    "recipes": "recipes:app",
    "lots": "lots:app",
    "users": "access:users",
    "tokens": "access:tokens",
    "moisture": "moisture:app",
    "dryer-map": "dryer_map:dryer_map",
    "ccp": "quality:ccp",
    "bags": "trace:bags",
    "recall": "trace:recall",
    "evidence": "trace:evidence",
    "verify": "trace:verify",
    "audit": "access:audit",
    "tune": "tune:tune",
    "assess": "assess:assess",
    "reconcile": "reconcile:reconcile",
    "compare": "compare:compare",
    "spc": "statistics:spc",
    "power": "statistics:power",
    "surface": "statistics:surface",
    "attribute": "attribute:attribute",
    "export": "export:export",
    "report": "export:report",
}
"""Module and name of each command, or group of commands, that is not of ``commands.py``."""


class Commands(MutableMapping[str, Any]):
    """Commands by name: those that are loaded first, then those that are elsewhere, made when they are looked at."""

    def __init__(self, loaded: Mapping[str, Any], elsewhere: Mapping[str, str]) -> None:
        self._made = dict(loaded)
        self._elsewhere = elsewhere
        self._names = dict.fromkeys([*loaded, *elsewhere])

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            module, _, attribute = self._elsewhere[name].partition(":")
            found = getattr(import_module(f"linecontrol.cli.{module}"), attribute)
            self._made[name] = _group(found, name) if isinstance(found, typer.Typer) else _command(found, name)
        return self._made[name]

    def __setitem__(self, name: str, command: Any) -> None:
        self._made[name] = command
        self._names[name] = None

    def __delitem__(self, name: str) -> None:
        del self._names[name]
        self._made.pop(name, None)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


class Root(TyperGroup):
    """The group of all commands."""

    def __init__(self, **words: Any) -> None:
        super().__init__(**words)
        self.commands = Commands(self.commands, ELSEWHERE)


def _group(app: typer.Typer, name: str) -> Any:
    group = get_group(app)
    group.name = name
    return group


def _command(function: Any, name: str) -> Any:
    alone = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_show_locals=False)
    alone.command(name)(function)
    return get_command(alone)
