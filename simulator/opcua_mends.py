"""What the OPC UA server library does slowly, or not as OPC 10000-4 has it, put right from outside.

The two wrong answers were found by a foreign client; neither file nor function of the library is changed, only this
server's objects.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from functools import partial
from typing import Any


async def fill(server: Any) -> None:
    """Make the standard address space, in half the time.

    It is some hundred thousand objects that all stay: the garbage collector would look at them again and again.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        await server.init()
    finally:
        if was_enabled:
            gc.enable()


def mend_republish(subscriptions: Any, not_available: type[Exception]) -> None:
    """Answer BadMessageNotAvailable when a message asked for again is no longer kept (Republish service).

    The library answers Good and an empty message. A client that comes back asks for the next one until it is told that
    there is none, so it asks for ever and its subscription is dead.
    """
    find: Callable[[Any], Any] = subscriptions.republish

    def republish(wish: Any) -> Any:
        message = find(wish)
        if message.SequenceNumber == 0:
            raise not_available
        return message

    subscriptions.republish = republish


def mend_dead_band(subscriptions: Any) -> None:
    """Compare with the last value told, "the last value pushed to the queue" (DataChangeFilter).

    The library compares with the last sample, so a value that drifts by less than the dead band between two samples is
    never told, however far it goes.
    """
    create: Callable[..., Any] = subscriptions.create_subscription

    async def create_subscription(*arguments: Any, **named: Any) -> Any:
        made = await create(*arguments, **named)
        items = subscriptions.subscriptions[made.SubscriptionId].monitored_item_srv
        items._is_deadband_exceeded = partial(_is_exceeded, items._is_deadband_exceeded)  # noqa: SLF001
        return made

    subscriptions.create_subscription = create_subscription


def _is_exceeded(judge: Callable[[Any, Any], bool], values: Any, wish: Any) -> bool:
    is_exceeded = judge(values, wish)
    if not is_exceeded:
        values.current_dvalue = values.old_dvalue  # what the library compares the next sample with
    return is_exceeded
