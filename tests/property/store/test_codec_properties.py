"""Whatever can be asked of an exchange account comes back from the journal equal, and no decimal has an exponent."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any, get_args, get_type_hints

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from mirrorctl.core.domain.actions import Action
from mirrorctl.core.domain.ours import IntentState
from mirrorctl.core.engine.records import Intent
from mirrorctl.core.store.codec import decimal_text, decimal_value, decode_action, encode_action
from mirrorctl.core.store.sqlite import SqliteStore

DECIMALS = st.builds(
    lambda sign, digits, exponent: Decimal((sign, digits, exponent)),
    st.integers(0, 1),
    st.lists(st.integers(0, 9), min_size=1, max_size=30).map(tuple),
    st.integers(-30, 30),
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)  # no half of a surrogate pair: not UTF-8
TYPES: tuple[type[Action], ...] = get_args(Action)


def _any_of(hint: Any) -> st.SearchStrategy[Any]:
    if get_args(hint):
        return st.one_of(*(_any_of(part) for part in get_args(hint)))
    return {Decimal: DECIMALS, str: TEXTS}.get(hint, st.from_type(hint))


def _any_action(type_: type[Action]) -> st.SearchStrategy[Action]:
    return st.builds(type_, **{name: _any_of(hint) for name, hint in get_type_hints(type_).items()})


ACTIONS: st.SearchStrategy[Action] = st.one_of(*(_any_action(type_) for type_ in TYPES))


@given(ACTIONS)
def test_any_action_round_trips(action: Action) -> None:
    back = decode_action(encode_action(action))
    assert back == action
    assert type(back) is type(action)


@given(ACTIONS)
def test_a_decimal_stands_in_the_journal_as_text_without_exponent(action: Action) -> None:
    members: dict[str, Any] = msgspec.json.decode(encode_action(action))
    for name in action.__dataclass_fields__:
        if isinstance(getattr(action, name), Decimal):
            assert re.fullmatch(r"-?\d+(\.\d+)?", members[name])


@given(st.none() | DECIMALS)
def test_any_decimal_of_a_column_round_trips(value: Decimal | None) -> None:
    assert decimal_value(decimal_text(value)) == value


@given(
    ACTIONS, st.sampled_from(IntentState), DECIMALS, st.none() | DECIMALS, TEXTS, st.booleans(), st.integers(0, 2**53)
)
def test_any_intent_round_trips_through_the_store(
    action: Action,
    state: IntentState,
    filled: Decimal,
    main_filled: Decimal | None,
    text: str,
    by_us: bool,
    at_ms: int,
) -> None:
    with SqliteStore(None) as store:
        intent_id = store.record_intent(action, at_ms, text, main_filled)
        intent = Intent(
            intent_id, action.account, action, state, at_ms, at_ms + 1, text, main_filled, filled, by_us, -7, text
        )
        store.update_intent(intent)
        assert store.recent_intents(at_ms + 1) == [intent]
        assert store.open_intents() == ([] if state.is_over else [intent])
