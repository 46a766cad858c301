"""Which stations a person has accepted after a probe. Writing to a station is locked until then.

The acceptances lie beside the line file (``<line>.accepted.json``). Each names the fingerprint of what was probed, so a
changed register map locks its station again.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from linecontrol.config import LineConfig
from linecontrol.core.errors import ConfigError, Problem


def acceptance_path(config: LineConfig) -> Path:
    return config.path.with_suffix(".accepted.json")


def read_acceptances(config: LineConfig) -> dict[str, dict[str, Any]]:
    """Acceptances by station. Raises ConfigError when the file cannot be read."""
    path = acceptance_path(config)
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ConfigError([Problem(str(path), None, "", f"cannot be read: {error}", "remove it and probe")]) from None
    if not isinstance(found, dict) or not all(isinstance(row, dict) for row in found.values()):
        raise ConfigError([Problem(str(path), None, "", "is not an acceptance file", "remove it and probe again")])
    return found


def is_accepted(config: LineConfig, station: str, acceptances: dict[str, dict[str, Any]]) -> bool:
    """Whether this station was accepted as it is described now."""
    return acceptances.get(station, {}).get("fingerprint") == config.stations[station].fingerprint


def accept(config: LineConfig, stations: list[str], who: str) -> Path:
    """Write down that ``who`` accepts these stations as probed just now."""
    found = read_acceptances(config)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    for station in stations:
        found[station] = {"fingerprint": config.stations[station].fingerprint, "by": who, "at": now}
    path = acceptance_path(config)
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    draft.replace(path)
    return path
