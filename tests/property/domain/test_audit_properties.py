"""The audit over random days of trading: it finds what the planner would do, and what is in step is clean."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mirrorctl.core.domain.audit.judge import is_clean, judge
from mirrorctl.core.domain.values import PositionMode, Side
from tests.property.domain.test_convergence import lived, moves, ratios, settle
from tests.unit.domain.audits import look, told


@pytest.mark.proves("A64", "A65")
@settings(max_examples=150)
@given(st.sampled_from(PositionMode), ratios, st.lists(moves, min_size=1, max_size=14))
@example(  # a twin too small to be placed does not explain what the position lacks
    PositionMode.ONE_WAY,
    "0.5",
    [("main_trades", Side.BUY, 1), ("main_trades", Side.BUY, 1), ("main_rests", Side.BUY, 1, 58_990)],
)
def test_a_plan_with_actions_is_never_clean_and_one_carried_out_is(
    mode: PositionMode, ratio: str, day_moves: list[tuple[object, ...]]
) -> None:
    """No defect that `sync` would mend is passed over, and none is left of which it would do nothing."""
    for day in lived(mode, ratio, day_moves):
        plan = day.decide()
        findings = judge(look(day.desk, plan))
        assert not (plan.actions and is_clean(findings)), plan
        assert all(f.account and f.expected and f.actual and f.remedy for f in findings)
    plan = settle(day)
    findings = judge(look(day.desk, plan))
    assert [line for line in told(findings) if "info" not in line and "PARKED" not in line] == []
