"""A socket or task that a line leaves behind fails the test that left it, not a later one."""

import gc
from collections.abc import Iterator

import pytest
from line_rig import end_what_was_left


@pytest.fixture(autouse=True)
def _nothing_left_behind() -> Iterator[None]:
    frozen = gc.get_freeze_count()
    yield
    end_what_was_left()
    gc.collect()
    assert gc.get_freeze_count() >= frozen // 2, "a line let go what it had not frozen"
