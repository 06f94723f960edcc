"""A stream that came up or went down: told, and everything of its account is read anew."""

from __future__ import annotations

import logging

from mirrorctl.core.engine.accounts import Account
from mirrorctl.core.engine.ports import Relist, StreamDown, StreamUp
from mirrorctl.core.engine.records import Severity
from mirrorctl.core.engine.state import EngineState

log = logging.getLogger(__name__)


def on_stream_up(state: EngineState, account: Account, event: StreamUp) -> None:
    """It is there, perhaps again: what came meanwhile is read anew."""
    now = state.now_ms()
    blind = now - account.stream_since_ms if account.stream_since_ms else 0
    if account.epoch >= 0 and not account.stream_up:
        text = f"stream is back after {blind / 1000:.1f} s blind; relisting"
        log.warning("%s: %s", account.name, text)
        state.outbox.tell(now, Severity.INFO, "stream-up", account.name, "", text, f"{event.epoch}:{now}")
    account.stream_up, account.epoch, account.stream_since_ms = True, event.epoch, now
    account.pace.reset()
    account.relist_due_ms = now
    account.asked = {query: at for query, at in account.asked.items() if not isinstance(query, Relist)}


def on_stream_down(state: EngineState, account: Account, event: StreamDown) -> None:
    """It is gone, or could not be had."""
    if account.stream_up or account.error != event.reason:
        log.warning("%s: stream down: %s", account.name, event.reason)
    now = state.now_ms()
    if account.stream_up:
        account.stream_since_ms = now
        about = f"{event.epoch}:{now}"  # epochs are counted anew with every start
        text = f"stream down: {event.reason}"
        state.outbox.tell(now, Severity.WARNING, "stream-down", account.name, "", text, about)
    account.stream_up = False
    account.error = event.reason
    account.relist_due_ms = min(account.relist_due_ms, now)
