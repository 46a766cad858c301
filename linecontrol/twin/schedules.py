"""Faults as a person names them: written out, in a schedule file, or drawn at random."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from linecontrol.config import LineConfig, Schedule, load_document, read_model
from linecontrol.core.errors import ConfigError, Problem
from linecontrol.twin.link import TwinFace
from linecontrol.twin.upsets import RANDOM
from simulator.faults import FaultError
from simulator.floor import Floor
from simulator.plant import Plant
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
        is_file = word.endswith((".yaml", ".yml"))
        faults = _schedule(Path(word)) if is_file else [word]
        problems += _misfits([fault for fault in faults if fault != RANDOM], config, word if is_file else "")
        found += faults
    if problems:
        raise ConfigError(problems)
    return tuple(found)


def _schedule(path: Path) -> list[str]:
    checked = read_model(load_document(path), Schedule)
    if checked.model is None or checked.problems:
        raise ConfigError(checked.problems)
    return list(checked.model.faults)


def _misfits(faults: Sequence[str], config: LineConfig, file: str) -> list[Problem]:
    """What is wrong with faults of a schedule file, or of the command line (file "")."""
    if not faults:
        return []
    floor = Floor(read_simulated_line(config.path), Plant(), lambda _station, _plc: TwinFace())
    found = []
    for fault in faults:
        try:
            floor.plan([fault])
        except FaultError as error:
            found.append(Problem(file, None, "faults" if file else "--fault", str(error)))
    return found
