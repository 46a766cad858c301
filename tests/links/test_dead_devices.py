"""Devices in a process of their own that is stopped and killed: hung with TCP alive, and gone without a word."""

from __future__ import annotations

import asyncio
import signal
from dataclasses import replace

import pytest
from link_bench import (
    EXPECTED,
    PATIENCE_S,
    PUBLISHING_S,
    TIMEOUT_S,
    loses,
    modbus_points,
    opcua_tags,
    open_files,
    quiet_loop,
    server_process,
)
from link_server import NAMESPACE

from linecontrol.core.errors import LinkDown, LinkTimeout
from linecontrol.core.link import Link
from linecontrol.links.modbus import ModbusLink
from linecontrol.links.opcua import OpcuaLink
from linecontrol.links.settings import ModbusSettings, OpcuaSettings


def links_to(ports: dict[str, int]) -> list[Link]:
    opcua = OpcuaSettings(f"opc.tcp://127.0.0.1:{ports['opcua']}/", NAMESPACE, timeout_s=TIMEOUT_S)
    return [
        ModbusLink(ModbusSettings(port=ports["tcp"], timeout_s=TIMEOUT_S), modbus_points()),
        ModbusLink(ModbusSettings(port=ports["rtu"], framer="rtu", timeout_s=TIMEOUT_S), modbus_points()),
        OpcuaLink(opcua, opcua_tags()),
        OpcuaLink(replace(opcua, reading="subscribe", publishing_s=PUBLISHING_S), opcua_tags()),
    ]


async def good_again(link: Link) -> None:
    """Open and read as a station does, again and again."""
    async with asyncio.timeout(10):
        while True:
            try:
                await link.open()
                readings = await link.read(EXPECTED)
            except (LinkDown, LinkTimeout):
                await asyncio.sleep(0.05)
                continue
            assert {name: reading.value for name, reading in readings.items()} == EXPECTED
            return


async def fails(link: Link) -> None:
    """One more try at a device that is not there: ends in time, with the right error."""
    async with asyncio.timeout(PATIENCE_S):
        with pytest.raises((LinkDown, LinkTimeout)):
            await loses(link, asks=link.counters.notifications == 0)
        try:
            await link.open()
            await link.read()
        except (LinkDown, LinkTimeout):
            return
    raise AssertionError("a dead device answered")


async def test_hung_twice_and_then_killed() -> None:
    async with quiet_loop():
        with server_process() as (process, ports):
            links = links_to(ports)
            for link in links:
                await good_again(link)
            # a link that is reported to has one or two requests at the server at any time
            files, tasks = open_files(), len(asyncio.all_tasks()) + 1
            for _ in range(2):
                process.send_signal(signal.SIGSTOP)
                for link in links:
                    await fails(link)
                process.send_signal(signal.SIGCONT)
                for link in links:
                    await good_again(link)
                assert open_files() <= files
                assert len(asyncio.all_tasks()) <= tasks
            process.kill()
            process.wait()
            for link in links:
                await fails(link)
                await fails(link)
            assert open_files() <= files
            assert len(asyncio.all_tasks()) <= tasks
            for link in links:
                await link.close()
