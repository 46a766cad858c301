"""A socket or task that a line leaves behind fails the test that left it, not a later one."""

import gc
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _nothing_left_behind() -> Iterator[None]:
    yield
    gc.collect()
