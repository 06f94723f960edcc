"""A daemon that kills itself with SIGKILL at a numbered port call: before the call, or right after it took effect.

Its arguments are PROFILE NUMBER before|after. Number 0 never dies. It is the real daemon otherwise.
"""

from __future__ import annotations

import functools
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from mirrorctl.bootstrap.runtime import Runtime
from mirrorctl.core.bybit.reader import AccountReader
from mirrorctl.core.bybit.writer import AccountWriter
from mirrorctl.core.profile.catalogue import find_home
from mirrorctl.core.profile.load import load_profile
from mirrorctl.core.store.sqlite import SqliteStore

CYCLE_WRITES = ("set_fact", "save_cycle", "end_cycle", "save_copy", "drop_copy")
STORE_WRITES = (*CYCLE_WRITES, "record_ahead", "record_intent", "update_intent")


class Doom:
    """Counts port calls and ends the process at the chosen one."""

    def __init__(self, number: int, after: bool) -> None:
        self._left = number
        self._after = after

    def wrap(self, owner: type, name: str) -> None:
        method: Callable[..., Any] = getattr(owner, name)

        @functools.wraps(method)
        def counted(*args: Any, **kwargs: Any) -> Any:
            self._left -= 1
            if self._left == 0 and not self._after:
                os.kill(os.getpid(), signal.SIGKILL)
            result = method(*args, **kwargs)
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        setattr(owner, name, counted)


def main() -> None:
    reference, number, when = sys.argv[1:]
    doom = Doom(int(number), when == "after")
    for name in STORE_WRITES:
        doom.wrap(SqliteStore, name)
    doom.wrap(AccountReader, "ask")
    doom.wrap(AccountWriter, "send")
    home = find_home(os.environ)
    with Runtime(load_profile(reference, os.environ, home), home, "run") as runtime:
        signal.signal(signal.SIGTERM, lambda *_: runtime.loop.stop())
        runtime.serve_commands()
        runtime.loop.run(runtime.engine)
