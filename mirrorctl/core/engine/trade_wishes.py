"""What `trade open` asks of single mirrors, checked against the profile and against what the mirrors hold."""

from __future__ import annotations

from decimal import Decimal

from mirrorctl.core.domain.errors import UsageError
from mirrorctl.core.domain.instruments import plain
from mirrorctl.core.domain.policy import MirrorPolicy, SizingMode
from mirrorctl.core.domain.sizing import AS_FACTOR, HUNDRED, check_value
from mirrorctl.core.domain.wish import Wish
from mirrorctl.core.engine.engine import Engine
from mirrorctl.core.engine.trade_request import MirrorWish, OpenRequest


def check_wishes(engine: Engine, request: OpenRequest) -> None:
    """UsageError for a mirror that is not in use, one that is named twice, or a value that its mode cannot mean."""
    seen: set[str] = set()
    for wish in request.mirrors:
        policy = _policy(engine, wish.name)
        if wish.name in seen:
            raise UsageError(f"the mirror {wish.name} is named twice", "say once what it shall do with this trade")
        seen.add(wish.name)
        _value(policy, wish)


def wishes_of(engine: Engine, request: OpenRequest, step: str) -> tuple[Wish, ...]:
    """The wishes of a request whose entries carry `step`. UsageError for one that comes too late."""
    made = []
    for wish in request.mirrors:
        value = _value(_policy(engine, wish.name), wish)
        if value is None:
            _check_absent(engine, request, wish.name)
        made.append(Wish(request.symbol, request.side, wish.name, step, value))
    return tuple(made)


def _policy(engine: Engine, name: str) -> MirrorPolicy:
    used = {mirror.name: mirror for mirror in engine.policy.mirrors if mirror.enabled}
    if name not in used:
        known = ", ".join(used) or "none"
        disabled = any(mirror.name == name for mirror in engine.policy.mirrors)
        problem = "is disabled in the profile" if disabled else "is no mirror of the profile"
        raise UsageError(f'"{name}" {problem}', f"mirrors in use: {known}")
    return used[name]


def _value(policy: MirrorPolicy, wish: MirrorWish) -> Decimal | None:
    """The sizing value that a wish means in the mirror's mode; None for one that stays out."""
    if wish.value is None:
        return None
    mode = policy.sizing.mode
    percent = wish.percent and mode is not SizingMode.RISK  # of risk the value is a percentage, with its sign or not
    wrong = check_value(mode, wish.value, percent=percent)
    if wrong:
        shown = f"{plain(wish.value)}{'%' if wish.percent else ''}"
        raise UsageError(f"--mirror {wish.name}: found {shown}; allowed for mode {mode}: {wrong}")
    return wish.value / HUNDRED if wish.percent and mode in AS_FACTOR else wish.value


def _check_absent(engine: Engine, request: OpenRequest, name: str) -> None:
    copy = engine.keeper.copy_of(name, (request.symbol, request.side))
    if copy is not None and copy.opened and not copy.ended:
        raise UsageError(
            f"{name} follows main's {request.side} {request.symbol} already: it cannot be left out of it any more",
            f"`mirrorctl pause --account {name} --symbol {copy.symbol}` holds back its next entries",
        )
