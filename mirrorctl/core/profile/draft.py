"""A profile as it is written the first time: few answers become a commented TOML file.

The text is a draft until `parse_profile` has read it: what may stand in a profile is the schema's to say, not this
module's. Keys are named by environment variables; only `import-env --store-keys` puts the keys themselves in.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import tomli_w

_COMMENT_COLUMN = 36

HEADERS = {
    "paper": "the embedded exchange, no keys and no money",
    "testnet": "Bybit's test exchange, play money",
    "demo": "Bybit's Demo Trading, real prices and play money",
    "mainnet": "real money",
}
VALUES = {
    "proportion": "part of main's quantity",
    "equity": "factor on its equity / main's",
    "same-margin-percent": "factor; 1: the same part of its equity as margin",
    "fixed-notional": "USDT for each position",
    "fixed-qty": "base coin for each position",
    "risk": "percent of its equity lost at the stop",
}


@dataclass(frozen=True, slots=True)
class Keys:
    """Where an account's keys are: the names of two variables, or (`literal`) the keys themselves."""

    key: str = field(repr=False)
    secret: str = field(repr=False)
    literal: bool = False


@dataclass(frozen=True, slots=True)
class DraftLimits:
    """Limits of every account, as they are written. None: not written, the schema's default holds."""

    max_leverage: str | None = None
    max_position_notional: str | None = None
    max_total_notional: str | None = None
    max_daily_loss: str | None = None


@dataclass(frozen=True, slots=True)
class DraftMirror:
    """One mirror. `value` is written as it was said: "50%" stays "50%"."""

    name: str
    mode: str
    value: str
    keys: Keys | None = None
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class DraftTelegram:
    """Where alerts go; the token stays in the variable of that name."""

    token_env: str
    chat_id: int


@dataclass(frozen=True, slots=True)
class Draft:
    """What a first profile says. `keys` None: paper, which needs none. `adopt` None: the environment's default."""

    name: str
    environment: str
    mirrors: tuple[DraftMirror, ...]
    keys: Keys | None = None
    limits: DraftLimits = DraftLimits()
    adopt: str | None = None
    telegram: DraftTelegram | None = None


def default_limits(environment: str) -> DraftLimits:
    """What the shipped examples take: small where money is real, none on paper."""
    if environment == "paper":
        return DraftLimits()
    if environment == "mainnet":
        return DraftLimits("5", "10000", "20000", "500")
    return DraftLimits("10", "20000", "50000")


def default_keys(environment: str, index: int) -> Keys | None:
    """The usual names of the variables of main (`index` 0) and of each mirror (1, 2, …); None on paper."""
    if environment == "paper":
        return None
    end = f"_{index + 1}" if index else ""
    if environment == "demo":  # demo accounts have keys of their own
        return Keys(f"BYBIT_DEMO_KEY{end}", f"BYBIT_DEMO_SECRET{end}")
    return Keys(f"BYBIT_API_KEY{end}", f"BYBIT_API_SECRET{end}")


def written(draft: Draft) -> str:
    """The file: TOML with a comment where a value does not speak for itself."""
    return "\n".join(_lines(draft)) + "\n"


def _lines(draft: Draft) -> Iterator[str]:
    yield f"# {draft.name}: {HEADERS.get(draft.environment, draft.environment)}."
    yield "#"
    yield f"# After a change: mirrorctl profile check {draft.name}"
    yield f"# Every key that holds, those left out here included: mirrorctl profile show {draft.name} --resolved"
    yield _row("schema", 1)
    yield _row("name", draft.name)
    yield _row("environment", draft.environment)
    yield ""
    yield "[main]"
    yield from _keys(draft.keys)
    if draft.keys is None:
        yield _row("position_mode", "auto", "take the account as it is")
    yield from _limits("main", draft.limits)
    if draft.adopt is not None:
        kept = "followed too" if draft.adopt == "all" else "left alone"
        yield from ("", "[mirror_defaults]")
        yield _row("adopt", draft.adopt, f"what main holds already is {kept}")
    yield from _limits("mirror_defaults", draft.limits)
    for mirror in draft.mirrors:
        yield from _mirror(mirror)
    if draft.telegram is not None:
        yield from ("", "[telegram]")
        yield _row("enabled", True)
        yield _row("token_env", draft.telegram.token_env, "name of the variable")
        yield _row("chat_id", draft.telegram.chat_id)


def _mirror(mirror: DraftMirror) -> Iterator[str]:
    yield from ("", "[[mirrors]]")
    yield _row("name", mirror.name)
    if not mirror.enabled:
        yield _row("enabled", False, "this account is not touched")
    yield from _keys(mirror.keys)
    yield "[mirrors.sizing]"
    yield _row("mode", mirror.mode)
    yield _row("value", mirror.value, VALUES.get(mirror.mode, ""))


def _keys(keys: Keys | None) -> Iterator[str]:
    if keys is None:
        return
    end = "" if keys.literal else "_env"
    word = "keep this file to yourself: mode 0600" if keys.literal else "name of the variable, never the key"
    yield _row(f"api_key{end}", keys.key, word)
    yield _row(f"api_secret{end}", keys.secret)


def _limits(table: str, limits: DraftLimits) -> Iterator[str]:
    rows = (
        ("max_leverage", limits.max_leverage, ""),
        ("max_position_notional", limits.max_position_notional, "USDT in one position"),
        ("max_total_notional", limits.max_total_notional, "USDT over all positions"),
        ("max_daily_loss", limits.max_daily_loss, "USDT since 00:00 UTC; then entries pause"),
    )
    given = [row for row in rows if row[1] is not None]
    if given:
        yield from ("", f"[{table}.limits]")
    for key, value, comment in given:
        yield _row(key, value, comment)


def _row(key: str, value: object, comment: str = "") -> str:
    text = tomli_w.dumps({key: value}).strip()
    return f"{text:<{_COMMENT_COLUMN}}# {comment}" if comment else text
