"""The audit's one function: a look at all accounts becomes findings, the gravest first.

Nothing is concluded from unknown (rule 1): of an account that could not be read only that is said, and of what main
decides nothing while main is unknown.
"""

from __future__ import annotations

from collections.abc import Iterator

from mirrorctl.core.domain.audit.exits import judge_exits
from mirrorctl.core.domain.audit.exposure import judge_exposure, judge_mode, judge_remains
from mirrorctl.core.domain.audit.findings import Code, Finding, found
from mirrorctl.core.domain.audit.orders import judge_disabled, judge_orders
from mirrorctl.core.domain.audit.scene import AuditScene, Recorded, Seen
from mirrorctl.core.domain.instruments import plain
from mirrorctl.core.domain.values import PositionSide, Severity

_ALIVE = "a position or an entry"
_GRAVEST = (Severity.CRITICAL, Severity.WARNING, Severity.INFO)


def judge(scene: AuditScene) -> list[Finding]:
    """Everything one look finds: by severity, then account by account, main first."""
    order = [seen.name for seen in (*scene.accounts, *scene.disabled)]
    return sorted(
        {finding.key: finding for finding in _all(scene)}.values(),
        key=lambda f: (_GRAVEST.index(f.severity), order.index(f.account), f.symbol, f.side or "", f.code, f.subject),
    )


def is_clean(findings: list[Finding]) -> bool:
    """Whether nothing but what is worth to be known was found (contract: severity info leaves it clean)."""
    return all(finding.severity is Severity.INFO for finding in findings)


def confirmed(before: list[Finding], after: list[Finding]) -> list[Finding]:
    """What counts after two looks: what both saw, and what is worth to be known as the later one saw it."""
    seen = {finding.key for finding in before}
    return [finding for finding in after if finding.severity is Severity.INFO or finding.key in seen]


def _all(scene: AuditScene) -> Iterator[Finding]:
    yield from _unreadable(scene)
    yield from _doubts(scene)
    yield from _monitors(scene)
    for account in scene.accounts:
        if account.view is None:
            continue
        yield from judge_exits(scene, account, account.view)
        yield from judge_orders(scene, account, account.view)
        yield from judge_mode(account, account.view)
        judge_size = judge_remains if account.is_main else judge_exposure
        yield from judge_size(scene, account, account.view)
    for account in scene.disabled:
        if account.view is not None:
            yield from judge_disabled(account, account.view)


def _unreadable(scene: AuditScene) -> Iterator[Finding]:
    for account in (*scene.accounts, *scene.disabled):
        if account.view is None:
            severity = Severity.INFO if account in scene.disabled else None
            actual = f"unknown: {account.error}" if account.error else "unknown"
            yield found(Code.ACCOUNT_UNREADABLE, account.name, expected="read", actual=actual, severity=severity)


def _doubts(scene: AuditScene) -> Iterator[Finding]:
    for doubt in scene.doubts:
        yield found(
            Code.IN_DOUBT,
            doubt.account,
            doubt.symbol,
            expected="its outcome is known",
            actual=doubt.what,
            subject=doubt.subject,
        )
    for plan in scene.plans:
        undecided = plan.settling or ("" if plan.standings else plan.blocked)  # of a brake the standings tell
        if undecided:
            yield found(Code.IN_DOUBT, plan.account, plan.symbol, expected="decided", actual=undecided)


def _monitors(scene: AuditScene) -> Iterator[Finding]:
    """Positions that nothing has on record, and records whose position is gone: coverage comes from positions (A66)."""
    if scene.main.view is None:
        return
    yield from _uncovered(scene)
    for symbol, side in sorted(scene.recorded.cycles | scene.recorded.trades):
        gone = not scene.main.view.size(symbol, side) and scene.main.view.proven(symbol, side)
        if gone and (symbol, side) not in scene.cycles:
            yield found(Code.ORPHAN_MONITOR, scene.main.name, symbol, side, expected=_ALIVE, actual="flat")
    known = {seen.name for seen in scene.mirrors if seen.view is not None}
    for account, symbol, side in sorted(scene.recorded.copies - set(scene.copies)):
        if account in known:
            yield found(Code.ORPHAN_MONITOR, account, symbol, side, expected=_ALIVE, actual="flat")


def _uncovered(scene: AuditScene) -> Iterator[Finding]:
    for account in scene.accounts:
        for row in account.view.positions() if account.view is not None else ():
            if row.side is None or not scene.is_ours(account, row.symbol, row.side):
                continue
            if not _is_recorded(scene.recorded, account, row.symbol, row.side):
                place = (account.name, row.symbol, row.side)
                yield found(Code.MISSING_MONITOR, *place, expected="on record", actual=plain(row.size))


def _is_recorded(recorded: Recorded, account: Seen, symbol: str, side: PositionSide) -> bool:
    if account.is_main:
        return (symbol, side) in recorded.cycles
    return (account.name, symbol, side) in recorded.copies
