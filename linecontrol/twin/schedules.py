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
    for word in words:
        if word.endswith((".yaml", ".yml")):
            found += _schedule(Path(word))
        else:
            found.append(word)
    _check([fault for fault in found if fault != RANDOM], config)
    return tuple(found)


def _schedule(path: Path) -> list[str]:
    checked = read_model(load_document(path), Schedule)
    if checked.model is None or checked.problems:
        raise ConfigError(checked.problems)
    return list(checked.model.faults)


def _check(faults: Sequence[str], config: LineConfig) -> None:
    if not faults:
        return
    try:
        Floor(read_simulated_line(config.path), Plant(), lambda _station, _plc: TwinFace(), faults=faults)
    except FaultError as error:
        raise ConfigError([Problem("", None, "--fault", str(error))]) from error
