"""What goes wrong in a random life: pushes spoiled, replies lost, requests refused, streams cut, the process killed."""

from __future__ import annotations

import random

from mirrorctl.core.paper.faults import FaultKind
from mirrorctl.core.simulation.stage import Stage

PUSHES = (FaultKind.PUSH_DROP, FaultKind.PUSH_DOUBLE, FaultKind.PUSH_REORDER, FaultKind.PUSH_STALE)


class Mishaps:
    """The troubles that every random life may meet. Each says in words what it did."""

    choose: random.Random
    stage: Stage

    def account(self) -> str:
        return self.choose.choice(("main", *self.stage.mirrors))

    def spoil(self) -> str:
        kind, name = self.choose.choice(PUSHES), self.account()
        topic = self.choose.choice(("order", "execution", "position"))
        self.stage.world.fault(kind, name, topic, count=self.choose.randint(1, 3))
        return f"{kind} {topic} of {name}"

    def lose(self) -> str:
        name = self.choose.choice(tuple(self.stage.mirrors))
        self.stage.world.fault(FaultKind.LOSE_REPLY, name, "/v5/order/create")
        return f"lose a reply of {name}"

    def refuse(self) -> str:
        name = self.account()
        self.stage.world.fault(FaultKind.REFUSE, name, count=self.choose.randint(1, 4))
        return f"refuse {name}"

    def cut_stream(self) -> str:
        name = self.account()
        self.stage.world.stream_down(name)
        self.stage.world.at(self.choose.randint(1, 8_000), lambda: self.stage.world.stream_up(name))
        return f"cut the stream of {name}"

    def kill(self) -> str:
        if self.stage.world.engine is None:
            return "dead already"
        self.stage.world.kill()
        self.stage.world.at(self.choose.randint(1, 3_000), self.revive)
        return "kill"

    def revive(self) -> None:
        if self.stage.world.engine is None:
            self.stage.start()
