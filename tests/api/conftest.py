"""Hashes that cost little: what they cost for real is the subject of one test."""

import pytest

from linecontrol.api import passwords


@pytest.fixture(autouse=True)
def _cheap_hashes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "argon2id" not in request.node.name:
        monkeypatch.setattr(passwords, "COST", {"time_cost": 1, "memory_cost": 1024, "parallelism": 1})
