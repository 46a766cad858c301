"""A JavaScript program on node-opcua browses, reads, commands and subscribes to the simulated drying PLC.

It needs Node.js and the packages of ``foreign/package.json``, installed in the folder that LINECONTROL_FOREIGN names or
in ``linecontrol-foreign`` of the user's cache.
"""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest
from foreign_rig import converse
from wire_rig import DEMO, running, until

from simulator.simulation import url_of

CLIENT = Path(__file__).parent / "foreign" / "opcua_client.js"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
MODULES = Path(os.environ.get("LINECONTROL_FOREIGN") or CACHE / "linecontrol-foreign") / "node_modules"
PAUSE_S = 1.5  # several of the client's keep-alive and publishing intervals


def freeze() -> None:
    """The server's whole process stands still, as on a machine that swaps: nothing is read, nothing is lost."""
    time.sleep(PAUSE_S)


@pytest.mark.skipif(shutil.which("node") is None, reason="node (Node.js) is not installed")
@pytest.mark.skipif(not (MODULES / "node-opcua-client").is_dir(), reason=f"node-opcua-client is not in {MODULES}")
async def test_a_node_opcua_client_is_content(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with running(DEMO, "drying") as simulation:
        cabinet = simulation.cabinets["drying"]
        faults = {"pause": freeze, "cut": cabinet.face.gate.cut}
        command = ["node", CLIENT, url_of(cabinet), str(len(cabinet.station.points))]
        env = {**os.environ, "NODE_PATH": str(MODULES), "HOME": str(tmp_path), "XDG_CONFIG_HOME": ""}
        code, said, complaint = await converse(command, faults, 90, env)
        if code:
            pytest.fail(f"after {said[-1]!r}: {complaint}")
        assert said[-1] == "content"
        await until(lambda: not cabinet.face.gate.connections)
    assert not [record for record in caplog.records if record.exc_info]
