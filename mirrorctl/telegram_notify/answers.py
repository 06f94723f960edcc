"""The bot's answers, plain text for a phone. Pure: documents of the engine in, text out; unknown is said (rule 15)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

from mirrorctl.core.domain.errors import MirrorctlError
from mirrorctl.core.domain.statistics import Figures
from mirrorctl.telegram_notify.answer_lines import (
    UNKNOWN,
    Document,
    brought,
    connection,
    copied,
    counted,
    guard,
    lacking,
    limited,
    line,
    money,
    monitor,
    plain_error,
    planned,
    scope,
    shown,
    step,
    waiting,
    where,
)

_HELP = """\
/positions  what every account holds
/status  in step or not, and what is wrong
/dashboard  money, positions and copies in one
/monitors  every trade and its ladder
/stats [days]  what trading brought (7 days)
/pause [account]  hold back entries; stops and reductions go on
/resume [account]  end pauses and halts, clear parked symbols
/flatten [account]  cancel our orders and close our positions
The last three ask for a code first."""
_WHAT = {
    "pause": "hold back entries on {}; stops and reductions go on",
    "resume": "end pauses and halts, and clear parked symbols of {}",
    "flatten": "cancel our orders and close our positions on {}",
}


@dataclass(frozen=True, slots=True)
class Answers:
    """What every answer names: the profile; and the clock of its times (None: this machine's)."""

    profile: str
    zone: tzinfo | None = None

    # --- looking -----------------------------------------------------------------------------------------------

    def help(self) -> str:
        """What the bot understands."""
        return f"{self.profile}\n{_HELP}"

    def positions(self, published: Document) -> str:
        """Every position of main and of each mirror."""
        blocks = [self._account(name, desk) for name, desk in published["desk"].items()]
        return "\n\n".join([self.profile, *blocks])

    def status(self, published: Document) -> str:
        """Whether all is in step, each account's connection, and what waits for somebody."""
        lines = [f"{self.profile}: {step(published)}"]
        if not published["mirroring"]:
            lines.append("mirroring is off (ENABLE_MIRROR_TRADING)")
        lines += [connection(row) for row in published["accounts"]]
        lines.append(counted(published["monitors"], published.get("building")))
        lines += self._troubles(published)
        lines.append(f"alerts waiting: {shown(published['alerts_waiting'])}")
        return "\n".join(lines)

    def dashboard(self, published: Document) -> str:
        """Money and positions of every account, and how the newest copies went."""
        lines = [f"{self.profile}: {step(published)}"]
        for name, desk in published["desk"].items():
            lines += ["", self._title(name, desk), *money(desk), *(line(row) for row in desk["positions"] or ())]
            if desk["positions"] is None:
                lines.append(f"positions: {UNKNOWN}")
        lines += ["", counted(published["monitors"], published.get("building")), *copied(published["copies"])]
        lines += self._troubles(published)
        return "\n".join(lines)

    def monitors(self, found: Document) -> str:
        """Every monitor, main's first."""
        lines = [f"{self.profile}\n{counted(found['counts'], found.get('building'))}"]
        lines += limited([monitor(row) for row in found["monitors"]])
        lines += [f"{name}: {UNKNOWN}, it cannot be read" for name in found["unread"]]
        return "\n\n".join(lines)

    def stats(self, days: int, figures: Sequence[tuple[str, Figures | str]], published: Document) -> str:
        """What trading brought by the exchange's records; of an account that could not be read, the reason."""
        lines = [f"{self.profile}: the last {days} day{'s' if days != 1 else ''}"]
        for name, found in figures:
            lines += ["", f"{name}: {UNKNOWN}: {found}"] if isinstance(found, str) else ["", *brought(name, found)]
        return "\n".join([*lines, "", *copied(published["copies"])])

    # --- changing ------------------------------------------------------------------------------------------------

    def proposal(self, command: str, account: str | None, code: str, plan: Document | None) -> str:
        """What a change would do, and the code that carries it out. `plan`: of `flatten`, its dry run."""
        lines = [f"{self.profile}: {_WHAT[command].format(account or 'every account')}"]
        if plan is not None:
            lines += [*planned(plan), *(f"{name}: {UNKNOWN}, it cannot be read" for name in plan["unread"])]
        return "\n".join([*lines, "", f"To do it, send within 60 s:\n/{command} {code}"])

    def begun(self, command: str, account: str | None) -> str:
        """That a change which takes a while is on its way."""
        return f"{self.profile}: {command} on {account or 'every account'} has begun"

    def paused(self, result: Document) -> str:
        """The answer of `pause`."""
        where = scope(result["paused"]["account"], result["paused"]["symbol"])
        return f"{self.profile}: paused: {where}; stops and reductions go on"

    def resumed(self, result: Document) -> str:
        """The answer of `resume`."""
        lines = [f"ended: {row['kind']} of {scope(row['account'], row['symbol'])}" for row in result["ended"]]
        lines += [f"{row['account']} halts again: {row['reason']}" for row in result["still"]]
        return "\n".join([f"{self.profile}: resumed", *(lines or ["nothing was paused or parked"])])

    def flattened(self, result: Document) -> str:
        """The answer of `flatten`: what remains of each account."""
        lines = [f"{self.profile}: flatten {'is PARTIAL' if result['partial'] else 'is done'}"]
        for row in result["accounts"]:
            left = f"remains: {', '.join(row['remains'])}" if row["remains"] else "nothing of ours is left"
            told = f"{UNKNOWN}: {plain_error(row)}" if row["error"] else left
            lines.append(f"{row['account']}: {told}")
        return "\n".join(lines)

    def failed(self, command: str, error: MirrorctlError) -> str:
        """An error, with what to do about it."""
        return "\n".join(filter(None, (f"{self.profile}: /{command}: {error.message}", error.hint)))

    def too_old(self, count: int) -> str:
        """What became of commands that came too late."""
        what = "a command was" if count == 1 else f"{count} commands were"
        return f"{self.profile}: too old: {what} sent more than 60 s before this daemon read it; nothing was done"

    # --- parts ---------------------------------------------------------------------------------------------------

    def _title(self, name: str, desk: Document) -> str:
        """An account, how far it can be trusted, and when it was read."""
        return f"{name} · {desk['state']} · {self._at(desk['read_at'], 'never read')}"

    def _at(self, iso: str | None, never: str = UNKNOWN) -> str:
        if iso is None:
            return never
        return f"{datetime.fromisoformat(iso).astimezone(self.zone):%Y-%m-%d %H:%M:%S %Z}"

    def _account(self, name: str, desk: Document) -> str:
        rows = desk["positions"]
        if rows is None:
            return f"{self._title(name, desk)}\npositions: {UNKNOWN}"
        flat = [*map(lacking, desk["missing"] or ()), *map(waiting, desk.get("building") or ())]
        lines = limited([self._position(row) for row in rows] + flat)
        return "\n".join([self._title(name, desk), *(lines or ["no position"])])

    def _position(self, row: Document) -> str:
        lines = [line(row), f"  entry {shown(row['entry_price'])}, mark {shown(row['mark_price'])}", guard(row)]
        lines += [f"  {row['phase']}"] if row.get("phase") else []
        return "\n".join([*lines, *(f"  {text}" for text in self._notes(row))])

    def _notes(self, row: Document) -> Iterator[str]:
        if row.get("naked_ms") is not None:
            yield f"NAKED for {row['naked_ms'] // 1000} s"
        if row.get("parked"):
            yield f"PARKED: {row['parked']}"
        if row.get("hold"):
            yield f"held: {row['hold']}"
        if row.get("drift_since"):
            yield f"drift {row['drift_qty']} (wants {row['want_qty']}) since {self._at(row['drift_since'])}"

    def _troubles(self, published: Document) -> list[str]:
        """What waits for somebody, the worst first."""
        lines = [f"NO STOP: {row['account']} {row['symbol']} {row['side']}" for row in published["unprotected"]]
        lines += [f"PARKED: {where(row)}: {row['reason']}" for row in published["parked"]]
        lines += [
            f"drift: {where(row)} has {row['have']}, wants {row['want']}, since {self._at(row['since'])}"
            for row in published["drift"]
        ]
        lines += [f"missing: {where(row)}: {row['what']}" for row in published["missing"]]
        lines += [f"held: {where(row)}: {row['reason']}" for row in published["held"]]
        lines += [
            f"{row['kind']}: {scope(row['account'], row['symbol'])}: {row['reason']}" for row in published["pauses"]
        ]
        if published["in_doubt"]:
            lines.append(f"in doubt: {published['in_doubt']}")
        if published["store"]["error"]:
            lines.append(f"the store cannot be written: {published['store']['error']}")
        return limited(lines)
