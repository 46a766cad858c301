"""Where the files of a line lie: next to each other, else those that ship with the program."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from linecontrol.core.errors import ConfigError, Problem

FOLDERS = {"brand": "brands", "station": "stations", "line": "lines", "alarms": "alarms"}
_PACKAGE = Path(__file__).resolve().parents[1]


def shipped_dir(what: Literal["plc_profiles", "recipes"] = "plc_profiles") -> Path:
    """Folder of the shipped files: inside an installed package, or beside the package in a source tree.

    Raises ConfigError when the installation is broken.
    """
    for folder in (_PACKAGE / "_data" / what, _PACKAGE.parent / what):
        if folder.is_dir():
            return folder
    raise ConfigError(f"the folder {what} of this installation is missing")


def find_file(kind: str, name: str, near: Sequence[Path]) -> Path | None:
    """The file of a brand or station: first as a neighbour of the files in ``near``, then among the shipped ones.

    ``name`` must have passed as a slug: it cannot leave the folders.
    """
    for folder in _folders(kind, near):
        path = folder / f"{name}.yaml"
        if path.is_file():
            return path
    return None


def known_names(kind: str, near: Sequence[Path]) -> list[str]:
    """Names that ``find_file`` would find in the folders of this kind, sorted."""
    own = FOLDERS[kind]
    return sorted(
        {path.stem for folder in _folders(kind, near) if folder.name == own for path in folder.glob("*.yaml")}
    )


def _folders(kind: str, near: Sequence[Path]) -> list[Path]:
    folders: list[Path] = []
    for path in near:
        folders += [path.parent.parent / FOLDERS[kind], path.parent]
    folders.append(shipped_dir() / FOLDERS[kind])
    return list(dict.fromkeys(folders))


def model_path(name: str, line_file: Path) -> Path:
    """A model a line file names: from that file's folder, else the shipped one of that name."""
    own = line_file.absolute().parent / name
    shipped = shipped_dir() / FOLDERS["line"] / Path(name).name
    return shipped if not own.is_file() and shipped.is_file() else own


def line_path(line: Path | str) -> Path:
    """The line file meant: a path, or the bare name of a shipped line such as ``demo``. Raises ConfigError."""
    if isinstance(line, Path) or line.endswith((".yaml", ".yml")) or "/" in line or "\\" in line:
        return Path(line)
    path = shipped_dir() / FOLDERS["line"] / f"{line}.yaml"
    if not path.is_file():
        shipped = ", ".join(sorted(file.stem for file in path.parent.glob("*.yaml")))
        raise ConfigError(
            [Problem("", None, "line", f"there is no line {line!r}", f"{shipped}, or a file, as my-line.yaml")]
        )
    return path
