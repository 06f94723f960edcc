"""`audit`: what is wrong on any account; with `--fix` mended by the planner of `sync`, then looked at again."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from mirrorctl.commands import desk, logs, tables
from mirrorctl.commands.confirm import check_askable, confirm
from mirrorctl.commands.options import JsonOption, ProfileOption, YesOption
from mirrorctl.commands.session import SCHEMA, Session, now_text, open_session

_FINDINGS = 3

Document = dict[str, Any]


def audit(
    context: typer.Context,
    fix: Annotated[bool, typer.Option("--fix", help="Mend what `sync` can mend, then audit again.")] = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
    profile: ProfileOption = None,
) -> None:
    """What is wrong on any account: stops, targets, orders, drift.

    It reads the accounts itself, beside a daemon or without one, and without --fix it can send nothing. Exits 3 with
    findings; those of severity info alone are clean. docs/audit.md explains every code.

    Example: mirrorctl audit --json
    """
    session = open_session(context, profile, as_json)
    if fix:
        check_askable(session, yes)
    found = read_audit(session)
    if fix and not found["clean"]:
        found = _fix(session, found, yes)
    else:
        session.terminal.result(found, tables.audit(found))
    if not found["clean"]:
        raise typer.Exit(_FINDINGS)


def read_audit(session: Session) -> Document:
    """The contract's `audit` document. Raises ExchangeError when no account can be read."""
    from mirrorctl.bootstrap import auditor

    logs.to_nowhere()
    with session.terminal.progress("auditing every account"):
        found = auditor.audit(session.profile, session.home)
    return {
        "schema": SCHEMA,
        "profile": session.profile.name,
        "at": now_text(),
        "clean": found.clean,
        "findings": [
            {
                "code": finding.code.value,
                "severity": finding.severity.value,
                "account": finding.account,
                "symbol": finding.symbol or None,
                "side": finding.side.value if finding.side else None,
                "expected": finding.expected,
                "actual": finding.actual,
                "remedy": finding.remedy,
            }
            for finding in found.findings
        ],
    }


def _fix(session: Session, before: Document, yes: bool) -> Document:
    """Carry out what `sync` would, then look again. What a new store holds back stays: it is no finding."""
    terminal = session.terminal
    terminal.show(tables.audit(before))
    plan = desk.rehearse(session, "preview", {})
    terminal.show(tables.plan(plan))
    confirm(session, "Apply this plan", yes)
    desk.carry_out(session, "sync", {"release": False}, lambda _event: None)
    after = read_audit(session)
    document = {**after, "before": before["findings"], "plan": plan["plan"], "held": plan["held"]}
    left = sum(finding["severity"] != "info" for finding in after["findings"])
    said = "mended: nothing is left" if after["clean"] else f"left after the fix: {left}"
    terminal.result(document, said, tables.audit(after))
    return document
