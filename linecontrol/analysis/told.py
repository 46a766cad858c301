"""What the statistics cannot do with these runs is told as wrong input is."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from linecontrol.core.errors import ConfigError, Problem


@contextlib.contextmanager
def told(key: str) -> Iterator[None]:
    """A ValueError of a pure function as ConfigError about ``key``."""
    try:
        yield
    except ValueError as error:
        raise ConfigError([Problem("", None, key, str(error))]) from error
