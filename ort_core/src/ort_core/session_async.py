"""Runs in other threads: with a callback, or awaited."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from ort_core.errors import Fail

if TYPE_CHECKING:
    from ort_core.options import RunOptions

logger = logging.getLogger("ort_core.session")

Callback: TypeAlias = Callable[[list[Any], Any, str], object]
"""Called with the results, the user's data, and an error message that is empty on success."""


def run_in_thread(work: Callable[[], list[Any]], callback: Callback, user_data: Any) -> None:
    """Calls `work` and then `callback` in a thread of their own; what the callback raises is logged."""

    def target() -> None:
        try:
            results, error = work(), ""
        except Exception as failure:
            results, error = [], str(failure) or type(failure).__name__
        try:
            callback(results, user_data, error)
        except Exception:
            logger.exception("the callback of run_async failed")

    threading.Thread(target=target, name="ort-core-run-async", daemon=True).start()


async def run_awaited(work: Callable[[], list[Any]], options: RunOptions) -> list[Any]:
    """The results of `work`, computed in another thread; cancellation terminates the run and waits until it has ended.

    Args:
        options: those that `work` runs with.
    """
    import asyncio
    import contextlib

    task = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        options.terminate = True
        try:
            with contextlib.suppress(Fail):
                await task
        finally:
            options.terminate = False
        raise
