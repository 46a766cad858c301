"""A C program on libmodbus reads and writes a simulated PLC, to the limits of what one request may ask for."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from bus_rig import UNIT, served
from foreign_rig import converse

SOURCE = Path(__file__).parent / "foreign" / "modbus_client.c"


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The client, compiled; skips where there is no compiler or no libmodbus to compile it against."""
    gcc = shutil.which("gcc")
    if gcc is None:
        pytest.skip("gcc is not installed")
    header = subprocess.run(
        [gcc, "-E", "-x", "c", "-"], input=b"#include <modbus/modbus.h>\n", capture_output=True, check=False
    )
    if header.returncode:
        pytest.skip("libmodbus-dev is not installed")
    out = tmp_path_factory.mktemp("foreign") / "modbus_client"
    subprocess.run([gcc, "-std=c99", "-Wall", "-Wextra", "-Werror", "-o", out, SOURCE, "-lmodbus"], check=True)
    return out


async def test_a_libmodbus_client_is_content(program: Path) -> None:
    async with served() as server:
        faults = {"silent": lambda: silence(True), "speak": lambda: silence(False), "cut": server.gate.cut}

        def silence(is_silent: bool) -> None:
            server.gate.is_silent = is_silent

        code, said, complaint = await converse([program, str(server.gate.port), str(UNIT)], faults, 30)
    assert (code, complaint) == (0, "")
    assert said == ["> silent", "> speak", "> cut", "content"]
