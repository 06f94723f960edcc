"""How the Bot API can fail, named by what happens next. No text of these errors holds the token (rule 16).

MirrorctlError
└── TelegramError             4   `exit_code` is that of `telegram test`
    ├── TokenRefused          2   the token is missing, malformed, revoked: only a person can help
    ├── ChatRefused           2   no such chat, or the bot may not write there: only a person can help
    ├── MessageRefused        4   this one message will never be taken; others may be
    ├── TooMany               4   wait `retry_after_s`, then send the same again
    ├── Conflict              4   another program asks for this bot's messages
    └── Unreachable           4   not reached, or no answer that can be read; `maybe_taken` says which
"""

from __future__ import annotations

from mirrorctl.core.domain.errors import MirrorctlError


class TelegramError(MirrorctlError):
    """The Bot API refused a request, or was not reached."""

    kind = "telegram"
    exit_code = 4


class TokenRefused(TelegramError):
    """No bot has this token."""

    kind = "telegram-token"
    exit_code = 2


class ChatRefused(TelegramError):
    """The bot cannot write to this chat. `moved_to` is the chat's new id when the answer named one, else None."""

    kind = "telegram-chat"
    exit_code = 2

    def __init__(self, message: str, hint: str = "", moved_to: int | None = None) -> None:
        super().__init__(message, hint)
        self.moved_to = moved_to


class MessageRefused(TelegramError):
    """The text of one message is not taken, however often it is sent."""

    kind = "telegram-message"


class TooMany(TelegramError):
    """Flood control (HTTP 429): nothing is taken for `retry_after_s` seconds."""

    kind = "telegram-flood"

    def __init__(self, message: str, hint: str = "", retry_after_s: int = 1) -> None:
        super().__init__(message, hint)
        self.retry_after_s = retry_after_s


class Conflict(TelegramError):
    """HTTP 409: the bot's messages go to another program, or to a webhook."""

    kind = "telegram-conflict"


class Unreachable(TelegramError):
    """No answer that can be read. `maybe_taken`: the request left, and what became of it is unknown."""

    kind = "telegram-unreachable"

    def __init__(self, message: str, hint: str = "", *, maybe_taken: bool = False) -> None:
        super().__init__(message, hint)
        self.maybe_taken = maybe_taken
