"""Position modes that the profile declares: read at the start, told when an account is in another one."""

from __future__ import annotations

from collections.abc import Iterator

from mirrorctl.core.domain.errors import Refused
from mirrorctl.core.domain.policy import MAIN, Policy
from mirrorctl.core.domain.values import PositionMode
from mirrorctl.core.engine.ports import ReadPosition
from mirrorctl.core.engine.records import Severity
from mirrorctl.core.engine.state import EngineState

_PROBE_MS = 60_000


def tend_modes(state: EngineState, now_ms: int) -> None:
    """Read a row where none was seen yet, and tell of every symbol that is in another mode than the profile says.

    An account without a position shows its mode only when a symbol is read: the most common one stands for it then.
    Entries are refused symbol by symbol (growth.standing_block); stops and reductions go on in the mode there is.
    """
    for name, declared in _declared(state):
        account = state.accounts.get(name)
        if account is None or not state.is_known(account):
            continue
        if not account.view.modes:
            account.ask(_probe(state), now_ms, every_ms=_PROBE_MS)
        for symbol, mode in account.view.modes.items():
            if mode is not declared:
                text = f"the account is {mode} for {symbol}, position_mode says {declared}: its entries are refused"
                state.outbox.tell_lasting(now_ms, Severity.WARNING, "mode", account.name, symbol, text, mode)


def declares_modes(policy: Policy) -> bool:
    """Whether the profile says of any account which mode it is in."""
    return policy.main_mode is not None or any(mirror.position_mode is not None for mirror in policy.mirrors)


def are_read(state: EngineState) -> bool:
    """Whether every declared mode was compared with a row, or could not be: no row was to be had."""
    accounts = [state.accounts[name] for name, _ in _declared(state) if name in state.accounts]
    known = [account for account in accounts if state.is_known(account) and not account.view.modes]
    return all(_probe(state) in account.read_errors for account in known)


def _probe(state: EngineState) -> ReadPosition:
    return ReadPosition(f"BTC{state.policy.settle_coin}")


def _declared(state: EngineState) -> Iterator[tuple[str, PositionMode]]:
    if state.policy.main_mode is not None:
        yield MAIN, state.policy.main_mode
    for mirror in state.policy.mirrors:
        if mirror.position_mode is not None:
            yield mirror.name, mirror.position_mode


def check_mode(state: EngineState, symbol: str) -> None:
    """Raise Refused when main is in another position mode than the profile says: its orders would be another leg's."""
    declared, actual = state.policy.main_mode, state.main.view.mode(symbol)
    if declared is not None and state.main.view.proven(symbol) and actual is not declared:
        raise Refused(
            f"main is {actual} for {symbol}, and the profile says position_mode = {declared}",
            "change the mode at Bybit, or main.position_mode in the profile",
        )
