"""YAML files written by people, read so that a hostile or broken one costs little and says where it is wrong.

Only plain scalars, lists and mappings are accepted: no tags, no merge keys, no second document. Every key path keeps
its line. Scalars follow the YAML 1.2 core schema, so ``on``, ``yes`` and dates stay texts and ``0o17`` is a number;
keys are always texts. Nothing here knows what a file means.
"""

from __future__ import annotations

import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from linecontrol.config.tree import Builder, Mark, row_name, short
from linecontrol.core.errors import ConfigError, Problem

MAX_BYTES = 1 << 20

Loc: TypeAlias = tuple[str | int, ...]

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml when it is there: ten times faster, same events


@dataclass(frozen=True, slots=True)
class Document:
    """One file as read.

    Attributes:
        path: where it lies.
        data: mappings, lists, str, int, float, bool and None; treat it as read-only.
    """

    path: Path
    data: dict[str, Any]
    _root: Mark = field(repr=False)

    @property
    def file(self) -> str:
        """The path as shown to people: from the working folder when the file lies below it."""
        return shown_path(self.path)

    @property
    def kind(self) -> str | None:
        """The word at ``kind:``, which tells what the file describes."""
        kind = self.data.get("kind")
        return kind if isinstance(kind, str) else None

    def line_of(self, loc: Loc = ()) -> int:
        """Line [from 1] of a key path; of the nearest part above it when the path is not in the file."""
        return self._nearest(loc)[0].line

    def text_of(self, loc: Loc) -> str | None:
        """A scalar as it was written, without quotes; None when the path is no scalar of this file."""
        mark, found = self._nearest(loc)
        return mark.text if found == len(loc) else None

    def key(self, loc: Loc) -> str:
        """A key path for people: ``tags[WT-101].range``. List entries are shown by their ``name`` if they have one."""
        words = ""
        mark: Mark | None = self._root
        for part in loc:
            mark = mark.child(part) if mark is not None else None
            if isinstance(part, int):
                words += f"[{row_name(part, mark)}]"
            else:
                words += f".{short(part)}"
        return words.removeprefix(".")

    def problem(self, loc: Loc, message: str, accepted: str = "") -> Problem:
        """A problem at a key path of this file."""
        return Problem(self.file, self.line_of(loc), self.key(loc), message, accepted)

    def steps(self, loc: Loc) -> int:
        """How many parts of a key path lead to something in this file."""
        return self._nearest(loc)[1]

    def _nearest(self, loc: Loc) -> tuple[Mark, int]:
        """The mark of the longest part of the path that is in the file, and how many steps it has."""
        mark = self._root
        for steps, part in enumerate(loc):
            inner = mark.child(part)
            if inner is None:
                return mark, steps
            mark = inner
        return mark, len(loc)


def shown_path(path: Path) -> str:
    """The path from the working folder when it lies below it, else as it is."""
    try:
        return str(path.absolute().relative_to(Path.cwd()))
    except (ValueError, OSError):
        return str(path)


def load_document(path: Path | str) -> Document:
    """Read one YAML file.

    Raises:
        ConfigError: it cannot be read, is too large or deep, is no plain YAML, or repeats a key.
    """
    path = Path(path)
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise _refusal(path, None, "is not a regular file", "a YAML file")
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise _refusal(path, None, f"cannot be read: {reason}") from error
    return parse_document(content, path)


def parse_document(content: bytes | str, path: Path | str) -> Document:
    """Read one YAML text; ``path`` is only the name used in messages. Raises ConfigError as ``load_document``."""
    path = Path(path)
    size = len(content)
    if size <= MAX_BYTES and isinstance(content, str):
        size = len(content.encode("utf-8", "surrogatepass"))
    if size > MAX_BYTES:
        raise _refusal(path, None, f"is larger than {MAX_BYTES} bytes", f"up to {MAX_BYTES} bytes")
    try:
        text = content.decode("utf-8") if isinstance(content, bytes) else content
        text.encode("utf-8")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise _refusal(path, line, "is not UTF-8 text", "UTF-8") from error
    except UnicodeEncodeError as error:
        raise _refusal(path, None, "is not Unicode text", "UTF-8") from error
    builder = Builder(shown_path(path))
    try:
        data, root = builder.document(yaml.parse(text.removeprefix("\ufeff"), Loader=_LOADER))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        said = error.problem or error.context or "not YAML"
        hint = "texts that begin with % or @, or hold ': ' or ' #', in quotes"
        if "tab character" in said or (mark and _is_tab(text, mark)):
            said, hint = "a tab stands where a value or a key begins", "spaces at the beginning of a line, no tabs"
        lines = text.count("\n", 0, -1) + 1  # libyaml places the end one line beyond
        place = min(mark.line + 1, lines) if mark else None
        if path.suffix.lower() == ".json":
            raise _refusal(path, place, "is not JSON", "what a program writes as JSON; UTF-8") from error
        raise _refusal(path, place, f"is not YAML: {said}", hint) from error
    except yaml.reader.ReaderError as error:
        at = error.position if isinstance(error.position, int) else 0
        line = text[:at].count("\n") + 1
        raise _refusal(path, line, "holds a character that YAML does not accept", "printable text") from error
    except yaml.YAMLError as error:
        raise _refusal(path, None, f"is not YAML: {error}") from error
    if builder.problems:
        raise ConfigError(builder.problems)
    if not isinstance(data, dict):
        raise _refusal(path, root.line, "is not a mapping", "a file of 'key: value' lines, first of them 'kind:'")
    return Document(path, data, root)


def _is_tab(text: str, mark: yaml.Mark) -> bool:
    """YAML's parsers seldom call a tab by its name: it is a "character that cannot start any token"."""
    lines = text.removeprefix("\ufeff").split("\n")
    return mark.line < len(lines) and lines[mark.line][mark.column : mark.column + 1] == "\t"


def _refusal(path: Path, line: int | None, message: str, accepted: str = "") -> ConfigError:
    return ConfigError([Problem(shown_path(path), line, "", message, accepted)])
