"""What the options of `profile new` say, as a draft."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from mirrorctl.commands.choices import ADOPTS, ENVIRONMENTS, MODES
from mirrorctl.core.domain.errors import UsageError
from mirrorctl.core.profile.draft import (
    Draft,
    DraftLimits,
    DraftMirror,
    DraftTelegram,
    Keys,
    default_keys,
    default_limits,
)

TOKEN_VARIABLE = "TELEGRAM_BOT_TOKEN"
_FIRST_MIRROR = ("mirror=50%",)


@dataclass(frozen=True, slots=True)
class Said:
    """The options as they were typed. None or empty: not said."""

    environment: str | None = None
    mirrors: Sequence[str] = ()
    sizing: str | None = None
    keys: Sequence[str] = ()
    adopt: str | None = None
    telegram_chat: str | None = None
    max_leverage: str | None = None
    max_position: str | None = None
    max_total: str | None = None
    max_daily_loss: str | None = None


def draft_of(name: str, said: Said) -> Draft:
    """The draft. UsageError for what no draft can say; the values are for the check of the profile to judge."""
    environment = _word("--environment", said.environment or "paper", ENVIRONMENTS)
    mode = _word("--sizing", said.sizing or "proportion", MODES)
    default_adopt = None if environment == "paper" else "new-only"
    adopt = default_adopt if said.adopt is None else _word("--adopt", said.adopt, ADOPTS)
    if said.sizing not in (None, "proportion") and not said.mirrors:
        raise UsageError(f"--sizing {mode} needs the value of every mirror", "add --mirror NAME=VALUE")
    sizes = [_split(text, "--mirror", "mirror=50%") for text in said.mirrors or _FIRST_MIRROR]
    keys = dict(_account_keys(text) for text in said.keys)
    accounts = ["main", *(mirror for mirror, _ in sizes)]
    for account in keys:
        if account not in accounts:
            raise UsageError(f'--keys: there is no account "{account}"', f"there are: {', '.join(accounts)}")
    return Draft(
        name=name,
        environment=environment,
        mirrors=tuple(
            DraftMirror(mirror, mode, value, keys.get(mirror, default_keys(environment, index)))
            for index, (mirror, value) in enumerate(sizes, start=1)
        ),
        keys=keys.get("main", default_keys(environment, 0)),
        limits=_limits(environment, said),
        adopt=adopt,
        telegram=_telegram(said.telegram_chat),
    )


def _word(option: str, found: str, allowed: Sequence[str]) -> str:
    if found not in allowed:
        raise UsageError(f'{option}: found "{found}"; allowed: {" | ".join(allowed)}')
    return found


def _split(text: str, option: str, example: str) -> tuple[str, str]:
    left, equals, right = text.partition("=")
    if not (left and equals and right):
        raise UsageError(f'{option}: found "{text}"; allowed: such as {example}')
    return left, right


def _account_keys(text: str) -> tuple[str, Keys]:
    """What is wrong is not shown: somebody may have put the keys themselves there."""
    account, _, names = text.partition("=")
    key, _, secret = names.partition(",")
    if not (account and key and secret):
        raise UsageError(
            "--keys: found something else than ACCOUNT=KEY,SECRET", "such as main=BYBIT_API_KEY,BYBIT_API_SECRET"
        )
    return account, Keys(key, secret)


def _limits(environment: str, said: Said) -> DraftLimits:
    asked = {
        "max_leverage": said.max_leverage,
        "max_position_notional": said.max_position,
        "max_total_notional": said.max_total,
        "max_daily_loss": said.max_daily_loss,
    }
    return replace(default_limits(environment), **{key: value for key, value in asked.items() if value is not None})


def _telegram(chat: str | None) -> DraftTelegram | None:
    if chat is None:
        return None
    try:
        return DraftTelegram(TOKEN_VARIABLE, int(chat))
    except ValueError:
        raise UsageError(f'--telegram-chat: found "{chat[:32]}"; allowed: a whole number, the id of a chat') from None
