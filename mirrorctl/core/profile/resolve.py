"""Turns a checked file into policy values, and lists what holds and where each value came from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import Struct

from mirrorctl.core.domain.policy import (
    MAIN,
    Adopt,
    BelowMinimum,
    Breakeven,
    CatchUp,
    Direction,
    Filter,
    Follow,
    Foreign,
    Hedge,
    Limits,
    Manage,
    ManualEdit,
    MappedSymbol,
    MirrorPolicy,
    OnBreach,
    OnUnprotected,
    Policy,
    Sizing,
    SizingMode,
)
from mirrorctl.core.domain.values import PositionMode, PositionSide
from mirrorctl.core.profile import unbuilt
from mirrorctl.core.profile.approaches import approaches_of, settings_of
from mirrorctl.core.profile.check import Tree, join
from mirrorctl.core.profile.model import Account, KeySource, Row, Scalar
from mirrorctl.core.profile.schema import FilterTable, KeysTable, LimitsTable, MirrorTable, ProfileFile

_SECRETS = ("api_key", "api_secret")
_SECTIONS = ("main", "mirror_defaults", "mirrors")


def merged(defaults: Tree, own: Tree) -> Tree:
    """`own` laid over `defaults`, table by table; what is no table is replaced whole."""
    result = dict(defaults)
    for key, value in own.items():
        below = result.get(key)
        result[key] = merged(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return result


def effective(clean: Tree) -> ProfileFile:
    """The file with `[mirror_defaults]` merged into each mirror and defaults that depend on the environment set."""
    defaults = clean.get("mirror_defaults", {})
    mirrors = [merged(defaults, mirror) for mirror in clean.get("mirrors", [])]
    file = msgspec.convert({**clean, "mirrors": mirrors}, ProfileFile)
    adopt = Adopt.ALL if file.environment == "paper" else Adopt.NEW_ONLY
    for mirror in file.mirrors:
        mirror.adopt = mirror.adopt or adopt.value
    return file


def policy_of(file: ProfileFile, name: str, mirroring: bool) -> Policy:
    """The engine's view of a profile."""
    return Policy(
        profile=name,
        settle_coin=file.settle_coin,
        mirrors=tuple(_mirror(mirror) for mirror in file.mirrors),
        main_limits=_limits(file.main.limits),
        mirroring=mirroring,
        relist_s=file.daemon.relist_s,
        tick_s=file.daemon.tick_s,
        max_closes_per_pass=file.daemon.max_closes_per_pass,
        manage=Manage(file.main.manage),
        main_mode=_mode(file.main.position_mode),
        approaches=approaches_of(file),
        chat_id=file.telegram.chat_id,
    )


def accounts_of(file: ProfileFile) -> tuple[Account, ...]:
    """Main, then every mirror."""
    main = _account(MAIN, True, file.main.position_mode, file.main)
    return (main, *(_account(m.name, m.enabled, m.position_mode, m) for m in file.mirrors))


def rows_of(file: ProfileFile, clean: Tree) -> Iterator[Row]:
    """`clean` is the tree as written: what stands in it came from the file."""
    top = {key: value for key, value in msgspec.structs.asdict(file).items() if key not in _SECTIONS}
    top["approaches"] = {name: settings_of(approach) for name, approach in approaches_of(file).items()}
    yield from _rows(top, "", clean, {}, "")
    yield from _rows(file.main, "main", clean.get("main", {}), {}, "main")
    defaults = clean.get("mirror_defaults", {})
    for mirror, written in zip(file.mirrors, clean.get("mirrors", []), strict=True):
        yield from _rows(mirror, join("mirrors", mirror.name), written, defaults, "mirror")


def _mirror(mirror: MirrorTable) -> MirrorPolicy:
    sizing, follow = mirror.sizing, mirror.follow
    return MirrorPolicy(
        name=mirror.name,
        enabled=mirror.enabled,
        position_mode=_mode(mirror.position_mode),
        adopt=Adopt(mirror.adopt or Adopt.NEW_ONLY),
        sizing=Sizing(
            SizingMode(sizing.mode),
            sizing.value,
            sizing.leverage_factor,
            BelowMinimum(sizing.below_minimum),
            dict(sizing.symbols),
        ),
        filter=_filter(mirror.filter),
        map={symbol: MappedSymbol(to.symbol or symbol, to.multiplier) for symbol, to in mirror.map.items()},
        follow=Follow(
            direction=Direction(follow.direction),
            hedge=Hedge(follow.hedge),
            delay_s=follow.delay_s,
            approach=follow.approach,
            manual_edit=ManualEdit(follow.manual_edit),
            foreign=Foreign(follow.foreign),
            catch_up=CatchUp(follow.catch_up),
            grace_s=follow.grace_s,
            max_age_s=follow.max_age_s,
            max_slippage_bps=follow.max_slippage_bps,
            max_exit_slippage_bps=follow.max_exit_slippage_bps,
            exit_deadline_s=follow.exit_deadline_s,
        ),
        limits=_limits(mirror.limits),
        naked_bound_ms=mirror.protection.naked_bound_ms,
        breakeven=Breakeven(follow.breakeven),
        on_unprotected=OnUnprotected(mirror.protection.on_unprotected),
        max_stop_bps=mirror.protection.max_stop_bps,
    )


def _filter(table: FilterTable) -> Filter:
    return Filter(
        symbols=tuple(table.symbols),
        exclude=tuple(table.exclude),
        sides=tuple(PositionSide(side) for side in table.sides),
        windows=tuple(table.windows),
        close_only=table.close_only,
    )


def _limits(table: LimitsTable) -> Limits:
    return Limits(
        max_leverage=table.max_leverage,
        max_position_notional=table.max_position_notional,
        max_total_notional=table.max_total_notional,
        max_open_positions=table.max_open_positions,
        max_daily_loss=table.max_daily_loss,
        max_orders_per_minute=table.max_orders_per_minute,
        max_drawdown_pct=table.max_drawdown_pct,
        on_breach=OnBreach(table.on_breach),
    )


def _account(name: str, enabled: bool, mode: str, keys: KeysTable) -> Account:
    return Account(
        name=name,
        enabled=enabled,
        position_mode=_mode(mode),
        key=KeySource(keys.api_key_env, keys.api_key),
        secret=KeySource(keys.api_secret_env, keys.api_secret),
    )


def _mode(word: str) -> PositionMode | None:
    return None if word == "auto" else PositionMode(word)


def _rows(table: object, prefix: str, written: Tree, defaults: Tree, section: str, below: str = "") -> Iterator[Row]:
    """`below` is the key path inside the section; `section` names the table of `unbuilt` that applies."""
    for key, value in _items(table):
        path = join(below, key)
        if isinstance(value, Struct | dict):
            yield from _rows(value, prefix, _sub(written, key), _sub(defaults, key), section, path)
            continue
        source = "file" if key in written else "mirror_defaults" if key in defaults else "default"
        if source == "default" and unbuilt.not_built(section, path):
            source = "not built"
        full = f"{prefix}.{path}" if prefix else path
        yield Row(full, _shown(key, value), source)


def _items(table: object) -> Iterator[tuple[str, Any]]:
    if isinstance(table, Struct):
        yield from msgspec.structs.asdict(table).items()
    elif isinstance(table, Mapping):
        yield from table.items()


def _sub(tree: Tree, key: str) -> Tree:
    value = tree.get(key)
    return value if isinstance(value, dict) else {}


def _shown(key: str, value: Any) -> Scalar | tuple[Scalar, ...]:
    if key in _SECRETS and value is not None:
        return "***"
    if isinstance(value, list):
        return tuple(value)
    if value is None or isinstance(value, str | int | Decimal):
        return value
    raise AssertionError(f"{key}: no way to show {type(value).__name__}")
