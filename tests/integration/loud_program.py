"""The program with every logger wide open and bugs to order: what the worst day of a user writes down.

LOUD_BUG names them: `sign` fails while a request is signed, with the keys at hand; `decide` fails in the decision loop.
LOUD_AFTER is how often each goes well before it fails once. Several commands may be given, with a `;` between them.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from typing import Any

import mirrorctl.core.bybit.session as session
from mirrorctl import cli
from mirrorctl.commands import logs
from mirrorctl.core.engine.engine import Engine


def failing_once(works: Callable[..., Any], after: int) -> Callable[..., Any]:
    """The same, but for one call."""
    left = after

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        nonlocal left
        left -= 1
        if left == -1:
            raise RuntimeError("a bug to order")
        return works(*args, **kwargs)

    return wrapped


def wide_open(install: Callable[[list[logging.Handler]], None]) -> Callable[[list[logging.Handler]], None]:
    """Log handlers as they are installed, and every level let through."""

    def wrapped(handlers: list[logging.Handler]) -> None:
        install(handlers)
        for logger in (logging.root, *map(logging.getLogger, logging.root.manager.loggerDict)):
            logger.setLevel(logging.DEBUG)

    return wrapped


def replace(owner: object, name: str, how: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    """Put another function in the place of one."""
    setattr(owner, name, how(getattr(owner, name)))


def main() -> int:
    bugs, after = os.environ.get("LOUD_BUG", "").split(","), int(os.environ.get("LOUD_AFTER", "0"))
    os.umask(0o022)  # as most have it
    replace(logs, "_install", wide_open)
    if "sign" in bugs:
        replace(session, "generate_signature", lambda works: failing_once(works, after))
    if "decide" in bugs:
        replace(Engine, "process", lambda works: failing_once(works, after))
    line = " ".join(sys.argv[1:])
    return [cli.main(command.split()) for command in line.split(";")][-1]


if __name__ == "__main__":
    sys.exit(main())
