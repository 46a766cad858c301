"""Gains that were applied while the line ran, kept in its data folder over a restart: ``tuning.json``.

The line file stays their home: gains that were changed *there* since outrank what is kept here, and gains on trial when
the controller ended are not believed; the ones before them hold.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from linecontrol.control.forms import IsaGains
from linecontrol.core.errors import ConfigError, Problem

_KEYS = ("k", "ti_s", "td_s", "n", "b", "c")
FILE = "tuning.json"


class Keeper(Protocol):
    """Where applied gains are kept."""

    def load(self) -> dict[str, dict[str, Any]]:
        """Rows by loop. Raises ConfigError."""
        ...

    def save(self, rows: Mapping[str, Mapping[str, Any]]) -> None:
        """Raises OSError."""
        ...


class FileKeeper:
    """In a file that is never half-written."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE

    def load(self) -> dict[str, dict[str, Any]]:
        """See ``Keeper``."""
        try:
            found = json.loads(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise self._wrong(f"cannot be read: {error}") from None
        if not isinstance(found, dict) or not all(isinstance(row, dict) for row in found.values()):
            raise self._wrong("is not a file of applied gains")
        for name, row in found.items():
            for key in ("home", "kept"):
                try:
                    gains_from_plain(row[key])
                except (KeyError, TypeError, ValueError) as error:
                    raise self._wrong(f"{name}.{key}: {error!r}") from None
        return found

    def _wrong(self, text: str) -> ConfigError:
        better = "remove it: the line file's gains then hold"
        return ConfigError([Problem(str(self.path), None, "", text, better)])

    def save(self, rows: Mapping[str, Mapping[str, Any]]) -> None:
        """See ``Keeper``."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        draft = self.path.with_suffix(".draft")
        with draft.open("w", encoding="utf-8") as file:
            json.dump(rows, file, indent=2, ensure_ascii=False, allow_nan=False)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self.path)


class NoKeeper:
    """A virtual line starts anew each time."""

    def load(self) -> dict[str, dict[str, Any]]:
        """Nothing."""
        return {}

    def save(self, rows: Mapping[str, Mapping[str, Any]]) -> None:
        """Nothing is kept."""


def gains_to_plain(gains: IsaGains) -> dict[str, float | None]:
    """Plain values fit for strict JSON; an infinite one becomes None."""
    return {key: x if math.isfinite(x := getattr(gains, key)) else None for key in _KEYS}


def gains_from_plain(plain: Mapping[str, Any]) -> IsaGains:
    """Raises KeyError, TypeError, ValueError when they are not gains."""
    return IsaGains(**{key: math.inf if plain[key] is None else float(plain[key]) for key in _KEYS})
