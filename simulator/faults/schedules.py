"""A schedule file: faults one per line, with a name. The controller's twin reads the same files."""

from __future__ import annotations

from pathlib import Path

import yaml

from simulator.faults.catalogue import WRITTEN
from simulator.faults.scene import FaultError
from simulator.yaml_text import load_yaml

_KEYS = ("kind", "name", "faults", "notes")


def read_schedule(path: Path) -> list[str]:
    """The faults of a schedule file, as written; whether a line can have them is for ``read_fault`` to say.

    Raises:
        FaultError: the file is missing or unusable; the text names file, key and what is accepted.
    """
    try:
        raw = load_yaml(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FaultError(f"{path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise FaultError(f"{path}: not readable as YAML: {error}") from error
    if not isinstance(raw, dict) or raw.get("kind") != "schedule":
        raise FaultError(f"{path}: kind is missing or another (accepted: kind: schedule)")
    if unknown := [str(key) for key in raw if key not in _KEYS]:
        raise FaultError(f"{path}: {', '.join(unknown)}: not known (accepted keys: {', '.join(_KEYS)})")
    faults = raw.get("faults")
    if not isinstance(faults, list) or not faults or not all(isinstance(fault, str) for fault in faults):
        raise FaultError(f"{path}: faults must be a list of texts, each {WRITTEN}")
    return list(faults)
