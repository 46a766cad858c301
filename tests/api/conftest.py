"""Hashes that cost little."""

import pytest
from access_rig import CHEAP

from linecontrol.api import passwords


@pytest.fixture(autouse=True)
def _cheap_hashes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "argon2id" not in request.node.name:
        monkeypatch.setattr(passwords, "COST", CHEAP)
