"""What becomes of a message to the bot: who is heard, two-step changes, codes that hold once, messages too old."""

from __future__ import annotations

from itertools import count

import pytest

from mirrorctl.telegram_notify.inbox import CODE_SIGNS, Act, Heard, Help, Inbox, Look, Propose, Say, Silence, TooOld

CHAT, OTHER, STRANGER = 42, -1001, 43
CODES = ("4F7K2Q", "8H3MNP", "WXYZ23", "ABCDEF")
_ids = count(1)


def inbox() -> Inbox:
    codes = iter(CODES)
    return Inbox((CHAT, OTHER), ("main", "half", "mirror"), lambda: next(codes), "@mirror_bot")


def heard(text: str, chat: int = CHAT, age_s: float = 0.0, at_s: float = 100.0) -> Heard:
    return Heard(next(_ids), chat, text, age_s, at_s)


@pytest.mark.parametrize("command", ["positions", "status", "dashboard", "monitors", "stats"])
def test_looking_takes_one_message(command: str) -> None:
    assert inbox().take(heard(f"/{command}"), 100) == Look(command, "")
    assert inbox().take(heard(f" /{command.upper()}@Mirror_Bot  7 \n"), 100) == Look(command, "7")


@pytest.mark.parametrize("text", ["/help", "/start", "/start deep-link"])
def test_help_is_given(text: str) -> None:
    assert inbox().take(heard(text), 100) == Help()


@pytest.mark.parametrize(
    "text", ["", "hello", "flatten", "/", "/ flatten", "//flatten", "/flatten@other_bot", "7 /status"]
)
def test_what_is_no_command_for_this_bot_is_passed_over(text: str) -> None:
    assert inbox().take(heard(text), 100) == Silence()


def test_an_unknown_command_is_named_and_not_echoed_whole() -> None:
    step = inbox().take(heard(f"/{'x' * 3000}"), 100)
    assert isinstance(step, Say)
    assert len(step.text) < 100


def test_a_group_may_have_other_bots() -> None:
    assert inbox().take(heard("/weather", OTHER), 100) == Silence()
    for text, chat in (("/weather@mirror_bot", OTHER), ("/weather", CHAT), ("/flatten4F7K2Q", CHAT)):
        assert isinstance(inbox().take(heard(text, chat), 100), Say)


@pytest.mark.parametrize("text", ["/status", "/flatten", "/flatten 4F7K2Q", "/help", "hello", ""])
def test_a_stranger_hears_nothing(text: str) -> None:
    """Nothing is done or said, and the log names the chat, not what it wrote."""
    box = inbox()
    assert box.issue(CHAT, "flatten", None, 100) == "4F7K2Q"
    step = box.take(heard(text, STRANGER), 100)
    assert isinstance(step, Silence)
    assert str(STRANGER) in step.reason
    assert not text or text not in step.reason
    assert box.take(heard("/flatten 4F7K2Q"), 100) == Act("flatten", None, 160)


def test_no_allowed_chat_means_that_nobody_is_heard() -> None:
    step = Inbox((), ("main",), lambda: "4F7K2Q").take(heard("/status"), 100)
    assert isinstance(step, Silence)


@pytest.mark.parametrize("command", ["pause", "resume", "flatten"])
@pytest.mark.parametrize("account", [None, "half", "mirror"])
def test_a_change_takes_two_messages(command: str, account: str | None) -> None:
    box = inbox()
    assert box.take(heard(f"/{command} {account or ''}"), 100) == Propose(command, account)
    code = box.issue(CHAT, command, account, 100)
    assert box.take(heard(f"/{command} {code.lower()}"), 159) == Act(command, account, 160)


def test_a_code_holds_once() -> None:
    box = inbox()
    code = box.issue(CHAT, "flatten", None, 100)
    assert isinstance(box.take(heard(f"/flatten {code}"), 101), Act)
    again = box.take(heard(f"/flatten {code}"), 102)
    assert isinstance(again, Say)
    assert "nothing was done" in again.text


@pytest.mark.parametrize(
    ("chat", "text", "now"),
    [
        (OTHER, "/flatten 4F7K2Q", 101.0),  # from another chat
        (CHAT, "/resume 4F7K2Q", 101.0),  # for another command
        (CHAT, "/flatten 4F7K2R", 101.0),  # another code
        (CHAT, "/flatten 4F7K2", 101.0),
        (CHAT, "/flatten 4F7K2Q half", 101.0),
        (CHAT, "/flatten 4F7K2Q", 160.5),  # too late
    ],
)
def test_a_code_holds_for_its_chat_its_command_and_a_minute(chat: int, text: str, now: float) -> None:
    box = inbox()
    assert box.issue(CHAT, "flatten", None, 100) == "4F7K2Q"
    step = box.take(heard(text, chat, at_s=now), now)
    assert isinstance(step, Say)
    assert step.text.startswith("nothing was done")


def test_a_wrong_code_ends_the_right_one() -> None:
    """One guess for each code."""
    box = inbox()
    box.issue(CHAT, "flatten", None, 100)
    box.take(heard("/flatten 222222"), 101)
    assert isinstance(box.take(heard("/flatten 4F7K2Q"), 102), Say)


def test_a_later_code_ends_the_earlier_one() -> None:
    box = inbox()
    first, second = box.issue(CHAT, "pause", None, 100), box.issue(CHAT, "pause", "half", 101)
    assert isinstance(box.take(heard(f"/pause {first}"), 102), Say)
    third = box.issue(CHAT, "pause", "half", 103)
    assert third != second
    assert box.take(heard(f"/pause {third}"), 104) == Act("pause", "half", 163)


def test_codes_of_two_commands_stand_beside_each_other() -> None:
    box = inbox()
    pause, flatten = box.issue(CHAT, "pause", None, 100), box.issue(CHAT, "flatten", None, 100)
    assert box.take(heard(f"/flatten {flatten}"), 101) == Act("flatten", None, 160)
    assert box.take(heard(f"/pause {pause}"), 101) == Act("pause", None, 160)


def test_an_account_of_six_letters_is_no_code() -> None:
    assert inbox().take(heard("/flatten mirror"), 100) == Propose("flatten", "mirror")
    step = inbox().take(heard("/flatten quarter"), 100)
    assert isinstance(step, Say)
    assert "main, half, mirror" in step.text


@pytest.mark.parametrize("text", ["/status", "/flatten", "/flatten 4F7K2Q", "/help"])
def test_what_was_sent_long_ago_is_never_carried_out(text: str) -> None:
    """Sent while the daemon was down, or heard in time and taken up too late."""
    box = inbox()
    box.issue(CHAT, "flatten", None, 100)
    assert box.take(heard(text, age_s=60.5), 100) == TooOld()
    assert box.take(heard(text, age_s=30.0, at_s=100), 131) == TooOld()


def test_a_message_that_is_delivered_twice_is_heard_once() -> None:
    box = inbox()
    box.issue(CHAT, "flatten", None, 100)
    message = heard("/flatten 4F7K2Q")
    assert isinstance(box.take(message, 101), Act)
    assert box.take(message, 101) == Silence()


def test_codes_can_be_read_aloud() -> None:
    assert len(CODE_SIGNS) == 32
    assert not set(CODE_SIGNS) & set("01IO")
