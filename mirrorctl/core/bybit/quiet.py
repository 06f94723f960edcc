"""Keeps pybit and websocket-client from writing anywhere.

pybit puts a handler of its own on stderr when the root logger has none, and both put request bodies, headers or error
texts into log lines (rule 16). What matters of it reaches the user through outcomes and events.
"""

from __future__ import annotations

import logging


def silence() -> None:
    """Cut the libraries' loggers off; safe to repeat. Call after anything that may have added a handler."""
    for name in ("pybit", "pybit._http_manager", "pybit._websocket_stream", "websocket"):
        logger = logging.getLogger(name)
        logger.handlers[:] = [logging.NullHandler()]
        logger.propagate = False
