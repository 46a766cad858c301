"""Faults as a person names them: written out, in a schedule file, or drawn at random."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from linecontrol.config import Document, LineConfig, Schedule, load_document, read_model
from linecontrol.core.errors import ConfigError, Problem
from linecontrol.twin.link import TwinFace
from linecontrol.twin.trial import split_accepted
from linecontrol.twin.upsets import RANDOM
from simulator.faults import FaultError
from simulator.floor import Floor
from simulator.plant import Plant
from simulator.profile import ProfileError
from simulator.profile import read_line as read_simulated_line


def read_faults(words: Sequence[str], config: LineConfig) -> tuple[str, ...]:
    """Every fault in written form; ``random`` stays as it is.

    Args:
        words: each a fault, ``random``, or the path of a schedule file (``*.yaml``).
    Raises:
        ConfigError: a file is wrong, or a fault does not fit this line.
    """
    found: list[str] = []
    problems: list[Problem] = []
    for word in words:
        if word.endswith((".yaml", ".yml")):
            doc = load_document(Path(word))
            faults = _schedule(doc)
            problems += schedule_problems(doc, config)
        else:
            faults = [word]
            problems += [Problem("", None, "--fault", *words) for _, *words in _misfits(faults, config)]
        found += faults
    if problems:
        raise ConfigError(problems)
    return tuple(found)


def schedule_problems(doc: Document, config: LineConfig) -> list[Problem]:
    """What of a sound schedule file does not fit this line.

    Raises:
        ConfigError: the simulator cannot have such a line.
    """
    if not config.line.simulated:
        return [
            doc.problem(("faults",), f"the line {config.line.name!r} is a real plant", "a line with simulated: true")
        ]
    return [doc.problem(("faults", at), text, accepted) for at, text, accepted in _misfits(_schedule(doc), config)]


def _schedule(doc: Document) -> list[str]:
    checked = read_model(doc, Schedule)
    if checked.model is None or checked.problems:
        raise ConfigError(checked.problems)
    return list(checked.model.faults)


def _misfits(faults: Sequence[str], config: LineConfig) -> list[tuple[int, str, str]]:
    """Of faults that this line cannot have: which, why, and what is accepted."""
    try:
        line = read_simulated_line(config.path)
    except ProfileError as error:
        raise ConfigError(str(error)) from error
    floor = Floor(line, Plant(), lambda _station, _plc: TwinFace())
    found = []
    for at, fault in enumerate(faults):
        try:
            if fault != RANDOM:
                floor.plan([fault])
        except FaultError as error:
            found.append((at, *split_accepted(str(error))))
    return found
