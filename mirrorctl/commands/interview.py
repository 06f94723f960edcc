"""The questions of `profile new` on a terminal: one at a time, each with a default; the answers become a draft.

What an answer may be is the profile schema's to say: a wrong one is asked again with the words that `profile check`
would use.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, get_args

from mirrorctl.core.domain.errors import ConfirmationMissing
from mirrorctl.core.domain.policy import SizingMode
from mirrorctl.core.domain.sizing import AS_FACTOR, check_value
from mirrorctl.core.profile import kinds
from mirrorctl.core.profile.draft import (
    VALUES,
    Draft,
    DraftLimits,
    DraftMirror,
    DraftTelegram,
    Keys,
    default_keys,
    default_limits,
)
from mirrorctl.core.profile.kinds import PROFILE_NAME, Kind, kind_of

Ask = Callable[[str], str | None]
Tell = Callable[[str], None]
Read = Callable[[str], Any]

ENVIRONMENTS = ("paper", "testnet", "demo", "mainnet")
MODES = tuple(mode.value for mode in SizingMode)
_ADOPTS = ("new-only", "all")
_NONE = "none"
_WIDEST_MODE = max(len(mode) for mode in MODES) + 2
_FIRST_VALUE = {"proportion": "50%", "equity": "1", "same-margin-percent": "1", "risk": "1"}
_TOKEN_VARIABLE = "TELEGRAM_BOT_TOKEN"


class Interview:
    """`ask` puts a question and returns a line, None at the end of input; `tell` says what was wrong."""

    def __init__(self, ask: Ask, tell: Tell) -> None:
        self._ask = ask
        self._tell = tell

    def draft(self, name: str | None) -> Draft:
        """Every question, in order. `name`: the one that was given with the command."""
        environment = self._choice("Where does it trade", ENVIRONMENTS, "paper")
        if name is None:
            name = self._kind("Name of the profile", PROFILE_NAME, f"my-{environment}")
        if environment != "paper":
            self._tell("Keys stay out of the file: it names the variables that hold them.")
        keys = self._keys("main", default_keys(environment, 0))
        mirrors = self._mirrors(environment)
        real = environment != "paper"
        return Draft(
            name=name,
            environment=environment,
            keys=keys,
            mirrors=mirrors,
            adopt=self._choice("What main holds already, leave it or follow it", _ADOPTS) if real else None,
            limits=self._limits(default_limits(environment)) if real else DraftLimits(),
            telegram=self._telegram() if real else None,
        )

    def yes(self, question: str, default: bool) -> bool:
        """A yes or a no."""
        words = {"y": True, "yes": True, "n": False, "no": False, "": default}
        while True:
            answer = self._line(f"{question} [{'Y/n' if default else 'y/N'}]").lower()
            if answer in words:
                return words[answer]
            self._tell("allowed: y | n")

    def _mirrors(self, environment: str) -> tuple[DraftMirror, ...]:
        found: list[DraftMirror] = []
        self._tell("A mirror's size is one of:")
        for mode, meaning in VALUES.items():
            self._tell(f"  {mode:<{_WIDEST_MODE}}{meaning}")
        while True:
            taken = ("main", *(mirror.name for mirror in found))
            default = "mirror" if not found else f"mirror-{len(found) + 1}"
            name = self._mirror_name(f"Name of mirror {len(found) + 1}", default, taken)
            mode = self._one_of(f"How is {name} sized", MODES, "proportion")
            value = self._value(name, mode)
            keys = self._keys(name, default_keys(environment, len(found) + 1))
            found.append(DraftMirror(name, mode, value, keys))
            if not self.yes("Another mirror?", default=False):
                return tuple(found)

    def _mirror_name(self, question: str, default: str, taken: Sequence[str]) -> str:
        while True:
            name = self._kind(question, _kind(kinds.Name), default)
            if name not in taken:
                return name
            self._tell(f"{name} is taken; allowed: another name than {', '.join(taken)}")

    def _value(self, mirror: str, mode: str) -> str:
        factor, unit = _kind(kinds.Factor), SizingMode(mode)
        allowed = factor.allowed if unit in AS_FACTOR else check_value(unit, Decimal(1), percent=True)

        def read(text: str) -> str:
            if check_value(unit, factor.read(text), percent=text.endswith("%")):
                raise ValueError(text)
            return text

        return str(self._put(f"Value for {mirror} ({VALUES[mode]})", read, allowed, _FIRST_VALUE.get(mode)))

    def _keys(self, account: str, default: Keys | None) -> Keys | None:
        if default is None:
            return None
        variable = _kind(kinds.Variable)
        key = self._kind(f"Variable with the API key of {account}", variable, default.key)
        return Keys(key, self._kind(f"Variable with the API secret of {account}", variable, default.secret))

    def _limits(self, default: DraftLimits) -> DraftLimits:
        positive = _kind(kinds.Positive)
        return DraftLimits(
            self._kind("Highest leverage", _kind(kinds.AtLeastOne), default.max_leverage),
            self._kind("Largest position, in USDT", positive, default.max_position_notional),
            self._kind("All positions together, in USDT", positive, default.max_total_notional),
            self._maybe("Largest loss in a day, in USDT; then entries pause", positive, default.max_daily_loss),
        )

    def _telegram(self) -> DraftTelegram | None:
        chat = self._maybe("Telegram chat id for alerts", Kind(_chat_id, "a whole number, not 0"), None)
        if chat is None:
            return None
        token = self._kind("Variable with the bot's token", _kind(kinds.Variable), _TOKEN_VARIABLE)
        return DraftTelegram(token, int(chat))

    def _choice(self, question: str, words: Sequence[str], default: str | None = None) -> str:
        return self._one_of(f"{question}: {' | '.join(words)}", words, default or words[0])

    def _one_of(self, question: str, words: Sequence[str], default: str) -> str:
        """One of `words`, or a beginning that only one of them has."""

        def read(text: str) -> str:
            fitting = [word for word in words if word == text.lower()] or [
                word for word in words if word.startswith(text.lower())
            ]
            if len(fitting) != 1:
                raise ValueError(text)
            return fitting[0]

        return str(self._put(question, read, " | ".join(words), default))

    def _kind(self, question: str, kind: Kind, default: str | None) -> str:
        """The text of an answer that a profile takes."""

        def read(text: str) -> str:
            kind.read(text)
            return text

        return str(self._put(question, read, kind.allowed, default))

    def _maybe(self, question: str, kind: Kind, default: str | None) -> str | None:
        def read(text: str) -> str | None:
            if text.lower() == _NONE:
                return None
            kind.read(text)
            return text

        found = self._put(question, read, f"{kind.allowed}, or {_NONE}", default or _NONE)
        return None if found is None else str(found)

    def _put(self, question: str, read: Read, allowed: str, default: str | None) -> Any:
        while True:
            answer = self._line(question + (f" [{default}]" if default is not None else ""))
            text = answer or default or ""
            try:
                return read(text)
            except ValueError:
                self._tell(f"allowed: {allowed}")

    def _line(self, question: str) -> str:
        answer = self._ask(f"{question}:" if not question.endswith(("?", "]")) else question)
        if answer is None:
            raise ConfirmationMissing(
                "the answers ended before the last question; nothing was written",
                "`mirrorctl profile new --help` shows the options that answer without questions",
            )
        return answer


def _kind(annotated: Any) -> Kind:
    """The Kind inside an annotated type of the schema."""
    found = kind_of(get_args(annotated)[1].extra)
    assert found is not None, annotated
    return found


def _chat_id(found: object) -> int:
    number = int(str(found))
    if not number or abs(number) > 2**62:
        raise ValueError(found)
    return number
