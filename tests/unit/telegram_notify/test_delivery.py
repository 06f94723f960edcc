"""What is sent next: order, groups, parts, mute hours, texts that are refused or in doubt; and the pace of a chat."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrorctl.core.domain.alert_types import AlertType
from mirrorctl.core.domain.values import Severity
from mirrorctl.core.engine.records import Alert
from mirrorctl.telegram_notify.choice import Choice
from mirrorctl.telegram_notify.delivery import Delivery
from mirrorctl.telegram_notify.messages import Words
from mirrorctl.telegram_notify.pace import Pace

DAY = 12 * 3_600_000
NIGHT = 23 * 3_600_000


def alert(key: str, severity: Severity = Severity.INFO, text: str = "", kind: str = "closed") -> Alert:
    return Alert(key, 0, severity, kind, "main", "BTCUSDT", text or f"text of {key}")


def delivery(*alerts: Alert, choice: Choice | None = None) -> Delivery:
    found = Delivery(choice or Choice(), Words("live", UTC))
    for each in alerts:
        found.add(each)
    return found


def sent(found: Delivery, now_ms: int = DAY) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Everything that is due, as it is taken one after another."""
    while (draft := found.next(now_ms)) is not None:
        yield draft.text, found.taken()


@pytest.mark.proves("A69")
def test_alerts_are_sent_in_their_order_and_once() -> None:
    found = delivery(*(alert(f"k{n}") for n in range(5)), alert("k2"))
    assert [keys for _, keys in sent(found)] == [("k0",), ("k1",), ("k2",), ("k3",), ("k4",)]
    assert found.waiting == 0


def test_more_than_five_share_a_message() -> None:
    found = delivery(*(alert(f"k{n}") for n in range(6)))
    ((text, keys),) = sent(found)
    assert keys == tuple(f"k{n}" for n in range(6))
    assert text.startswith("live: 6 alerts")
    found = delivery(alert("a"), alert("b"))
    draft = found.next(DAY, closing=True)
    assert draft is not None
    assert draft.keys == ("a", "b")


def test_a_draft_stays_the_next_one_until_it_was_taken() -> None:
    """Whatever comes meanwhile: a message that was sent and not answered is sent again as it was, and says so."""
    found = delivery(alert("a"))
    first = found.next(DAY)
    for n in range(9):
        found.add(alert(f"b{n}"))
    assert first is not None
    assert found.next(DAY) == first
    found.doubted()
    found.doubted()
    again = found.next(DAY)
    assert again is not None
    assert again.text == f"{first.text}\n(sent again: nobody knows whether the first one arrived)"
    assert found.taken() == ("a",)


def test_a_long_alert_is_delivered_with_its_last_part() -> None:
    found = delivery(alert("long", text="word " * 2000), alert("next"))
    keys = [keys for _, keys in sent(found)]
    assert keys == [(), (), ("long",), ("next",)]


def test_mute_hours_delay_and_lose_nothing() -> None:
    found = delivery(alert("a"), alert("b", Severity.CRITICAL), alert("c"), choice=Choice(mute="22:00-07:00"))
    assert [keys for _, keys in sent(found, NIGHT)] == [("b",)]
    assert found.waiting == 2
    assert found.next_change_ms(NIGHT) == 31 * 3_600_000
    assert [keys for _, keys in sent(found, 31 * 3_600_000)] == [("a",), ("c",)]
    assert found.next_change_ms(NIGHT) is None


def test_what_is_never_to_be_sent_does_not_wait() -> None:
    found = delivery(choice=Choice({AlertType.CLOSED: False}))
    assert not found.add(alert("a"))
    assert (found.waiting, found.next(DAY)) == (0, None)


def test_a_text_that_is_refused_holds_nothing_up() -> None:
    """A group is taken apart; what is refused alone is named without its text; what even then is refused stays."""
    found = delivery(*(alert(f"k{n}") for n in range(6)))
    assert len(found.next(DAY).keys) == 6  # type: ignore[union-attr]  # a None fails the test as well
    assert found.refused() == ()
    assert found.next(DAY).keys == ("k0",)  # type: ignore[union-attr]
    assert found.refused() == ()
    noted = found.next(DAY)
    assert noted is not None
    assert noted.text.startswith("main BTCUSDT\nTelegram did not take the text of this alert")
    assert found.refused() == ("k0",)
    assert [keys for _, keys in sent(found)] == [("k1",), ("k2",), ("k3",), ("k4",), ("k5",)]
    assert found.waiting == 1


def test_a_person_gets_one_message_a_second() -> None:
    pace = Pace(42)
    assert pace.wait_s(0.0) == 0
    for second in range(100):
        pace.sent(float(second))
        assert pace.wait_s(second + 0.25) == 0.75
        assert pace.wait_s(second + 1.0) == 0


def test_a_group_gets_twenty_a_minute() -> None:
    pace, now, times = Pace(-1001), 100.0, []
    for _ in range(60):
        now += pace.wait_s(now)
        pace.sent(now)
        times.append(now)
    assert all(times[n] - times[n - 20] >= 60 for n in range(20, 60))
    assert times[19] - times[0] == 19


def test_what_telegram_asks_for_is_waited() -> None:
    pace = Pace(42)
    pace.hold(10.0, 30.0)
    pace.hold(11.0, 1.0)
    assert pace.wait_s(15.0) == 25.0


@pytest.mark.proves("A69")
@given(st.lists(st.sampled_from(["add", "add", "take", "doubt", "refuse"]), max_size=60), st.booleans())
def test_whatever_happens_each_alert_is_delivered_once_and_none_is_lost(steps: list[str], long: bool) -> None:
    """Without refusals also in the order in which they came."""
    found, told, delivered, aside = delivery(), list[str](), list[str](), list[str]()
    for step in steps:
        if step == "add":
            told.append(f"k{len(told)}")
            found.add(alert(told[-1], text="word " * 1100 if long and len(told) % 3 == 0 else ""))
        elif found.next(DAY) is None:
            continue
        elif step == "take":
            delivered += found.taken()
        elif step == "doubt":
            found.doubted()
        else:
            aside += found.refused()
        assert found.waiting == len(told) - len(delivered)
    delivered += [key for _, keys in sent(found) for key in keys]
    assert sorted(delivered + aside) == sorted(told)
    if "refuse" not in steps:
        assert delivered == told
