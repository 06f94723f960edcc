"""The Bot API client over real sockets: what it sends, what it makes of each answer, and where the token shows."""

from __future__ import annotations

import logging
import socket
import threading
import time
import traceback
from collections.abc import Iterator

import pytest

from mirrorctl.telegram_notify.client import BotClient, Checked
from mirrorctl.telegram_notify.errors import (
    ChatRefused,
    Conflict,
    MessageRefused,
    TelegramError,
    TokenRefused,
    TooMany,
    Unreachable,
)
from tests.bot_api import GROUP, PERSON, TOKEN, BotApi, units


@pytest.fixture
def api() -> Iterator[BotApi]:
    with BotApi(spacing_s=0) as server:
        yield server


@pytest.fixture
def client(api: BotApi) -> Iterator[BotClient]:
    client = BotClient(TOKEN, api.url, timeout_s=1.0)
    yield client
    client.close()


def test_a_check_names_bot_and_chat(client: BotClient) -> None:
    assert client.check(PERSON) == Checked("@mirror_test_bot", "Ada Trader", "private")
    assert client.check(GROUP) == Checked("@mirror_test_bot", "Desk", "supergroup")


def test_a_text_arrives_as_it_was_written(api: BotApi, client: BotClient) -> None:
    text = 'main BTCUSDT <b> & "x" _*[]()~`>#+-=|{}.!\\ 1000PEPEUSDT €𝛑\n−0.5'
    assert client.send(PERSON, text).message_id == 1
    client.send(GROUP, "<b>half</b> &lt;in step&gt;", html=True, silent=True)
    assert api.texts(PERSON) == [text]
    assert api.texts(GROUP) == ["half <in step>"]
    assert api.messages[1].params["disable_notification"] is True


@pytest.mark.parametrize(
    ("text", "html", "said"),
    [
        (" ", False, "text is empty"),
        ("x" * 4097, False, "too long"),
        ("𝛑" * 2049, False, "too long"),
        ("a <b", True, "can't parse entities"),
        ("<b>a", True, "can't parse entities"),
        ("<marquee>a</marquee>", True, "can't parse entities"),
    ],
)
def test_what_is_no_message_is_refused(api: BotApi, client: BotClient, text: str, html: bool, said: str) -> None:
    with pytest.raises(MessageRefused, match=said):
        client.send(PERSON, text, html=html)
    assert api.messages == []


def test_the_longest_text_is_taken(api: BotApi, client: BotClient) -> None:
    client.send(PERSON, "𝛑" * 2048)
    client.send(PERSON, "<b>" + "&amp;" * 4096 + "</b>", html=True)
    assert [units(text) for text in api.texts()] == [4096, 4096]


@pytest.mark.parametrize("token", ["", "110201543", f"{TOKEN} ", "110201543:A/../x", "0:AAHdqTcvCH1vGWJxfSeofSA"])
def test_what_cannot_be_a_token_is_never_sent(token: str) -> None:
    with pytest.raises(TokenRefused) as refused:
        BotClient(token, "http://127.0.0.1:9")
    assert not token or token not in f"{refused.value.message} {refused.value.hint}"


@pytest.mark.proves("A70")
def test_a_wrong_token_or_chat_is_found_by_a_check(api: BotApi, client: BotClient) -> None:
    with pytest.raises(ChatRefused, match="chat 43: Bad Request: chat not found"):
        client.check(43)
    api.chats[GROUP].closed = "bot was kicked from the supergroup chat"
    with pytest.raises(ChatRefused, match="kicked"):
        client.check(GROUP)
    api.chats[GROUP].moved_to = -1002
    with pytest.raises(ChatRefused, match="has moved") as moved:
        client.check(GROUP)
    assert moved.value.moved_to == -1002
    api.token = "110201543:another"
    with pytest.raises(TokenRefused, match="does not know this bot: Unauthorized") as refused:
        client.check(PERSON)
    assert refused.value.exit_code == 2


def test_flood_control_says_how_long(api: BotApi, client: BotClient) -> None:
    api.spacing_s = 1.0
    client.send(PERSON, "one")
    with pytest.raises(TooMany) as flood:
        client.send(PERSON, "two")
    assert flood.value.retry_after_s == 1
    api.fail("flood", value=35)
    with pytest.raises(TooMany, match="35 s") as flood:
        client.send(PERSON, "two")
    assert flood.value.retry_after_s == 35
    assert api.texts() == ["one"]


@pytest.mark.parametrize(
    ("kind", "value", "maybe_taken"),
    [("down", None, True), ("status", 502, True), ("status", 302, False), ("hang", 0.4, True), ("lose", None, True)]
    + [("junk", body, True) for body in ("", "[]", '{"ok": 1}', "\xff")],
)
def test_no_answer_is_not_a_refusal(api: BotApi, kind: str, value: object, maybe_taken: bool) -> None:
    client = BotClient(TOKEN, api.url, timeout_s=0.2)
    api.fail(kind, value=value)
    with pytest.raises(Unreachable) as unreachable:
        client.send(PERSON, "one")
    assert unreachable.value.maybe_taken is maybe_taken
    assert api.texts() == (["one"] if kind == "lose" else [])
    client.send(PERSON, "two")
    client.close()


def test_a_redirect_is_not_followed(api: BotApi, client: BotClient) -> None:
    """It would carry the token to another address."""
    with BotApi() as other:
        api.fail("redirect", value=f"{other.url}/bot{TOKEN}/sendMessage")
        with pytest.raises(Unreachable, match="HTTP 307"):
            client.send(PERSON, "one")
        assert other.calls == []


def test_a_request_that_never_left_was_not_taken() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        client = BotClient(TOKEN, f"http://127.0.0.1:{taken.getsockname()[1]}", timeout_s=1)
        with pytest.raises(Unreachable, match="refused or unreachable") as unreachable:
            client.send(PERSON, "one")
        client.close()
    assert not unreachable.value.maybe_taken


def test_an_answer_that_trickles_ends_with_its_time() -> None:
    """The time-out bounds the whole request, not each piece of it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def trickle() -> None:
            caller, _ = listener.accept()
            with caller:
                caller.recv(65536)
                try:
                    caller.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n")
                    for _ in range(40):
                        caller.sendall(b" " * 70_000)
                        time.sleep(0.05)
                except OSError:
                    return

        thread = threading.Thread(target=trickle)
        thread.start()
        client = BotClient(TOKEN, f"http://127.0.0.1:{listener.getsockname()[1]}", timeout_s=0.3)
        began = time.monotonic()
        with pytest.raises(Unreachable):
            client.send(PERSON, "one")
        client.close()
        assert time.monotonic() - began < 1
        thread.join()


def test_updates_stay_until_they_are_confirmed(api: BotApi, client: BotClient) -> None:
    first, second = api.says(PERSON, "/status"), api.says(43, "/flatten", age_s=90)
    heard = client.updates(0, 0)
    assert [(update.update_id, update.chat_id, update.text) for update in heard] == [
        (first, PERSON, "/status"),
        (second, 43, "/flatten"),
    ]
    assert heard[0].age_s < 3
    assert 88 < heard[1].age_s < 94
    assert [update.update_id for update in client.updates(0, 0)] == [first, second]
    assert [update.update_id for update in client.updates(second, 0)] == [second]
    assert client.updates(second + 1, 0) == []
    assert api.unconfirmed() == []


def test_a_poll_waits_for_the_first_message(api: BotApi, client: BotClient) -> None:
    threading.Timer(0.15, api.says, (PERSON, "/help")).start()
    began = time.monotonic()
    assert [update.text for update in client.updates(0, 5)] == ["/help"]
    assert 0.1 < time.monotonic() - began < 2


def test_what_is_no_text_message_has_no_chat(api: BotApi, client: BotClient) -> None:
    number = api.says(PERSON, None, photo=[])
    assert [(update.update_id, update.chat_id) for update in client.updates(0, 0)] == [(number, 0)]


def test_a_second_listener_ends_the_first(api: BotApi, client: BotClient) -> None:
    second = BotClient(TOKEN, api.url, timeout_s=1)
    thread = threading.Timer(0.1, second.updates, (0, 1))
    thread.start()
    with pytest.raises(Conflict, match="go elsewhere"):
        client.updates(0, 2)
    api.says(PERSON, "/help")
    thread.join()
    second.close()
    api.webhook = True
    with pytest.raises(Conflict, match="webhook"):
        client.updates(0, 0)


@pytest.mark.proves("A73")
def test_the_token_shows_in_no_error_and_no_log(api: BotApi, caplog: pytest.LogCaptureFixture) -> None:
    """The library names whole addresses in its errors and logs; whatever goes wrong, none of it gets out."""
    caplog.set_level(logging.DEBUG)
    errors: list[TelegramError] = []

    def meet(client: BotClient) -> None:
        try:
            client.check(PERSON)
        except TelegramError as error:
            errors.append(error)
        client.close()

    said = f"Not Found: https://api.telegram.org/bot{TOKEN}/getMe {TOKEN.partition(':')[2]}"
    answers = [f'{{"ok": false, "error_code": {code}, "description": "{said}"}}' for code in (400, 401, 403, 409, 500)]
    for kind, value in [("down", None), ("status", 502), ("hang", 0.3), *(("junk", answer) for answer in answers)]:
        api.fail(kind, value=value)
        meet(BotClient(TOKEN, api.url, timeout_s=0.2))
    meet(BotClient(TOKEN, "http://127.0.0.1:9", timeout_s=0.2))
    meet(BotClient(TOKEN, "https://127.0.0.1:1", timeout_s=0.2))
    meet(BotClient(TOKEN, api.url.replace("http", "https"), timeout_s=0.5))
    assert len(errors) == 11
    shown = caplog.text + repr(BotClient(TOKEN, api.url))
    for error in errors:
        shown += "".join(traceback.format_exception(error)) + error.hint + repr(vars(error))
        assert error.__context__ is None
        assert error.__cause__ is None
    for secret in (TOKEN, TOKEN.partition(":")[2]):
        assert secret not in shown


def test_the_server_holds_a_bot_to_its_limits(api: BotApi, client: BotClient) -> None:
    """The stage itself: so many messages a second in a chat, so many a minute in a group."""
    for number in range(20):
        client.send(GROUP, str(number))
    with pytest.raises(TooMany) as flood:
        client.send(GROUP, "one more")
    assert 58 <= flood.value.retry_after_s <= 60
    client.send(PERSON, "elsewhere")
    api.spacing_s = 1.0
    with pytest.raises(TooMany):
        client.send(PERSON, "at once")
