"""A profile as the rest of the program sees it: values only, validated, with secrets that are fetched late."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from pathlib import Path

from mirrorctl.core.domain.alert_types import AlertType
from mirrorctl.core.domain.errors import ProfileError
from mirrorctl.core.domain.policy import Policy
from mirrorctl.core.domain.values import PositionMode


class Environment(StrEnum):
    """Where a profile trades. PAPER is the embedded exchange: no keys, no money."""

    PAPER = "paper"
    TESTNET = "testnet"
    DEMO = "demo"
    MAINNET = "mainnet"


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Addresses that override the environment's own; None: the environment's."""

    rest: str | None = None
    private_ws: str | None = None
    trade_ws: str | None = None
    public_ws: str | None = None

    @property
    def given(self) -> bool:
        return any((self.rest, self.private_ws, self.trade_ws, self.public_ws))


@dataclass(frozen=True, slots=True)
class Credentials:
    """The keys of one account. Neither `repr` nor `str` shows them (rule 16)."""

    api_key: str = field(repr=False)
    api_secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class KeySource:
    """Where one half of an account's keys is found: a variable's name, or the key itself."""

    variable: str | None = None
    literal: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Account:
    """One account of a profile. `position_mode` None: whatever the exchange says (auto)."""

    name: str
    enabled: bool
    position_mode: PositionMode | None
    key: KeySource
    secret: KeySource


@dataclass(frozen=True, slots=True)
class TelegramSettings:
    """Where alerts are delivered. `mirrors`: those whose alerts are on; `alerts`: the types that are switched."""

    enabled: bool
    token_env: str
    chat_id: int
    allowed_chats: tuple[int, ...]
    mute: str
    api_base: str
    alerts: Mapping[AlertType, bool]
    mirrors: tuple[str, ...] = ()


Scalar = str | int | bool | Decimal | None


@dataclass(frozen=True, slots=True)
class Row:
    """One line of `profile show --resolved`. `value` None: not set. A secret is never a value here.

    `source`: "file", "mirror_defaults", "default", or "not built" for a limit that does not act yet.
    """

    key: str
    value: Scalar | tuple[Scalar, ...]
    source: str


@dataclass(frozen=True, slots=True)
class Profile:
    """A profile that passed every check. `accounts` holds main first, then the mirrors in the order of the file."""

    name: str
    path: Path
    environment: Environment
    endpoints: Endpoints
    policy: Policy
    accounts: tuple[Account, ...]
    order_entry: str
    telegram: TelegramSettings
    warnings: tuple[str, ...]
    rows: tuple[Row, ...] = field(repr=False)
    environ: Mapping[str, str] = field(repr=False, compare=False)

    @property
    def real(self) -> bool:
        """Orders leave this machine for an exchange of Bybit's: commands that trade ask first."""
        return self.environment is not Environment.PAPER

    @property
    def embedded_paper(self) -> bool:
        """The daemon starts the paper exchange itself."""
        return self.environment is Environment.PAPER and not self.endpoints.given

    @property
    def main(self) -> Account:
        return self.accounts[0]

    def account(self, name: str) -> Account:
        """The account of that name ("main" or a mirror's); KeyError when there is none."""
        for account in self.accounts:
            if account.name == name:
                return account
        raise KeyError(name)

    def credentials(self, name: str) -> Credentials:
        """The keys of an account, read from the environment now. ProfileError names every variable that is not set,
        or that holds what cannot be a key.

        Paper takes fixed keys where none are set, and always when it is embedded, so that real keys in the
        environment never reach the paper exchange's file.
        """
        account = self.account(name)
        found = {"api_key": self._find(account.key), "api_secret": self._find(account.secret)}
        if self.environment is Environment.PAPER and (self.embedded_paper or not all(found.values())):
            return Credentials(f"paper-{name}", f"paper-{name}-secret")
        missing = [
            source.variable or key
            for (key, value), source in zip(found.items(), (account.key, account.secret), strict=True)
            if not value
        ]
        if missing:
            raise ProfileError(
                f"the keys of {name} are not set: {', '.join(missing)}",
                f"set the environment variable{'s' if len(missing) > 1 else ''} and try again; "
                f"the profile {self.path} names {'them' if len(missing) > 1 else 'it'}",
            )
        self._check_characters(name, found)
        return Credentials(found["api_key"], found["api_secret"])

    def telegram_token(self) -> str:
        """The bot's token, read from the environment now; "" where it is not set."""
        return self.environ.get(self.telegram.token_env, "").strip()

    def credentials_of(self, names: Iterable[str]) -> dict[str, Credentials]:
        """The keys of several accounts. ProfileError names what is missing for all of them at once."""
        found: dict[str, Credentials] = {}
        missing: list[ProfileError] = []
        for name in names:
            try:
                found[name] = self.credentials(name)
            except ProfileError as error:
                missing.append(error)
        if missing:
            raise ProfileError("; ".join(error.message for error in missing), missing[0].hint)
        return found

    def resolved(self) -> tuple[Row, ...]:
        """Every key with the value that holds and where it came from."""
        return self.rows

    def _check_characters(self, name: str, found: Mapping[str, str]) -> None:
        """A key that was copied with a blank, a line break or a typographic character: no header can carry it."""
        account = self.account(name)
        wrong = [
            source.variable or key
            for key, source in (("api_key", account.key), ("api_secret", account.secret))
            if not all("!" <= char <= "~" for char in found[key])
        ]
        if wrong:
            raise ProfileError(
                f"the keys of {name} hold characters that no key has: {', '.join(wrong)}",
                "copy them again: letters, digits and signs, without blanks and line breaks inside",
            )

    def _find(self, source: KeySource) -> str:
        if source.literal is not None:
            return source.literal
        return self.environ.get(source.variable, "").strip() if source.variable else ""
