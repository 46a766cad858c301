"""The lot book beside a history that is away at the start."""

from __future__ import annotations

import pytest
from desk_rig import T0, desks, read_again

from linecontrol.core.errors import ConfigError
from linecontrol.history import LotRow
from linecontrol.line import loading


async def test_lots_of_a_history_that_was_away_are_read_later_and_none_is_changed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loading, "AGAIN_S", 0.01)
    async with desks() as line:
        history = line.historian
        west = LotRow("west", "lobata", 900.0, T0 - 9000.0, "operator:li")
        history.kept.traces.append(west)
        history.is_away = True
        await line.lots.load()
        with pytest.raises(ConfigError, match="there is no lot 'west'"):
            line.lots.known("west")
        east = await line.lots.add("east", "thomsonii", 300.0, who="operator:li")
        await line.lots.add("west", "thomsonii", 10.0, who="operator:chen")  # nobody can know yet
        history.is_away = False
        await read_again(line.lots)
        assert line.lots.lots == {"west": west, "east": east}
        (said,) = line.told("lot.taken")
        assert said.startswith("There was a lot west already (lobata, 2025-"), "it is told, not overwritten"
