"""`telegram`: whether alerts can reach their chat."""

from __future__ import annotations

from typing import Any

import typer

from mirrorctl.commands import logs
from mirrorctl.commands.help_pages import Commands
from mirrorctl.commands.options import JsonOption, ProfileOption
from mirrorctl.commands.session import SCHEMA, Session, now_text, open_session

app = Commands(no_args_is_help=True)

_TIMEOUT_S = 10.0


@app.callback()
def _group() -> None:
    """Alerts on Telegram: send a test message.

    Example: mirrorctl telegram test
    """


@app.command()
def test(context: typer.Context, as_json: JsonOption = False, profile: ProfileOption = None) -> None:
    """Send one message to the chat of the profile.

    The token is read from the variable that telegram.token_env names. Exits 2 when token or chat are wrong or not set,
    4 when Telegram is not reached. It works before telegram.enabled is true, so that you can try first.

    Example: mirrorctl telegram test -p live
    """
    session = open_session(context, profile, as_json)
    logs.to_nowhere()
    document = _send(session)
    said = f"sent: {document['bot']} wrote to {document['chat']} (chat {document['chat_id']})"
    session.terminal.result(document, said)
    if not document["enabled"]:
        session.terminal.tell("telegram.enabled is false in the profile: no alerts are sent", "yellow")


def _send(session: Session) -> dict[str, Any]:
    from mirrorctl.bootstrap.telegram import bot_of, chat_of

    profile = session.profile
    chat_id = chat_of(profile)
    bot = bot_of(profile, timeout_s=_TIMEOUT_S)
    try:
        found = bot.check(chat_id)
        sent = bot.send(chat_id, f"{profile.name}: alerts of mirrorctl arrive here. This is a test; nothing happened.")
    finally:
        bot.close()
    return {
        "schema": SCHEMA,
        "profile": profile.name,
        "at": now_text(),
        "enabled": profile.telegram.enabled,
        "bot": found.bot,
        "chat": found.chat,
        "chat_id": chat_id,
        "message_id": sent.message_id,
    }
