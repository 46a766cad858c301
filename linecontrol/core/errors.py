"""The error tree. Third-party errors are mapped into it, in one place per library.

LineError
├── ConfigError          a file or a value a person wrote is wrong; carries every Problem found
├── LinkError            a wire or the device behind it
│   ├── LinkDown         no connection, or it was lost
│   ├── LinkTimeout      the device did not answer within the deadline
│   └── DeviceRefused    the device answered with an exception or a bad status
├── LineBusy             another controller drives this line
├── StateError           a command that is not legal in this state
└── StorageError         the historian could not keep or read something
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class LineError(Exception):
    """Any error this program raises on purpose."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a file or request: where, what, and what is accepted."""

    file: str
    line: int | None
    key: str
    message: str
    accepted: str = ""

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        key = f" {self.key}:" if self.key else ""
        tail = f" (accepted: {self.accepted})" if self.accepted else ""
        return f"{place}:{key} {self.message}{tail}"


class ConfigError(LineError):
    """A file or value written by a person is wrong. Nothing was changed."""

    def __init__(self, problems: Sequence[Problem] | str) -> None:
        self.problems: tuple[Problem, ...] = (
            (Problem("", None, "", problems),) if isinstance(problems, str) else tuple(problems)
        )
        super().__init__("\n".join(str(p).removeprefix(": ") for p in self.problems))


class LinkError(LineError):
    """A wire, or the device behind it."""


class LinkDown(LinkError):
    """No connection, or it was lost."""


class LinkTimeout(LinkError):
    """The device did not answer within the deadline."""


class DeviceRefused(LinkError):
    """The device answered, with an exception or a bad status."""


class LineBusy(LineError):
    """Another controller drives this line."""


class StateError(LineError):
    """A command that is not legal in this state; the message says why."""


class StorageError(LineError):
    """The historian could not keep or read something."""
