"""The plant's data files as files: no key twice, which plain YAML would swallow."""

from pathlib import Path

import pytest

import simulator
from linecontrol.config import parse_document

FILES = sorted((Path(simulator.__file__).parent / "data").glob("*.yaml"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_key_is_written_twice(path: Path) -> None:
    assert parse_document(path.read_bytes(), path).data
