"""A deadline holds whatever the code within makes of being cancelled, and ends no task that nobody has ended."""

import asyncio
import time

import pytest
from asyncua.common.utils import wait_for

from linecontrol.core.deadline import deadline


async def in_the_same_turn(real_s: float) -> str:
    """An answer that comes in the turn of the loop in which the deadline passes: the loop is held up beyond both."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[str] = loop.create_future()
    loop.call_later(real_s + 0.001, answer.set_result, "late")
    time.sleep(real_s + 0.01)  # noqa: ASYNC251  # a machine too busy to run us
    return await wait_for(answer, 60.0)


async def test_an_answer_in_the_turn_of_the_deadline_is_a_timeout_and_no_cancellation() -> None:
    async def ask() -> None:
        async with deadline(0.02):
            await in_the_same_turn(0.02)

    with pytest.raises(TimeoutError):
        await ask()
    assert asyncio.current_task().cancelling() == 0  # type: ignore[union-attr]


async def test_a_task_that_is_ended_ends() -> None:
    started = asyncio.Event()

    async def work() -> None:
        async with deadline(60.0):
            started.set()
            await asyncio.get_running_loop().create_future()

    task = asyncio.create_task(work())
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()


async def test_a_task_that_is_being_ended_may_still_say_goodbye_with_a_deadline() -> None:
    goodbyes = []

    async def work() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            try:
                async with deadline(0.02):
                    await in_the_same_turn(0.02)
            except TimeoutError:
                goodbyes.append("late")

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert goodbyes == ["late"]


async def test_the_deadline_around_another_is_kept_too() -> None:
    async def ask() -> None:
        async with asyncio.timeout(0.02), deadline(60.0):
            await in_the_same_turn(0.02)

    with pytest.raises(TimeoutError):
        await ask()


async def test_a_deadline_may_be_set_later() -> None:
    async def wait() -> None:
        async with deadline(None) as timer:
            timer.reschedule(asyncio.get_running_loop().time())
            await asyncio.get_running_loop().create_future()

    with pytest.raises(TimeoutError):
        await wait()
