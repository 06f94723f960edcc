"""When the next message may be sent to a chat. Pure: the clock is an argument, in seconds that never go back.

The Bot API takes about one message a second into a chat and 20 a minute into a group or channel (FAQ of Telegram's
bots, "My bot is hitting limits"); beyond that it refuses with 429 and says after how many seconds to ask again.
"""

from __future__ import annotations

from collections import deque

_EVERY_S = 1.0
_WINDOW_S = 60.0
_MOST_IN_GROUP = 20


class Pace:
    """The pace of one chat, for all who send to it. Ids of groups, supergroups and channels are negative.

    Safe from several threads. Two that ask in the same moment may both be let through: then Telegram refuses one of
    the messages, and it is sent again.
    """

    def __init__(self, chat_id: int) -> None:
        self._is_group = chat_id < 0
        self._sent: deque[float] = deque(maxlen=_MOST_IN_GROUP)
        self._not_before = 0.0

    def wait_s(self, now_s: float) -> float:
        """How long until a message may be sent; 0 for now."""
        until = self._not_before
        if self._sent:
            until = max(until, self._sent[-1] + _EVERY_S)
        if self._is_group and len(self._sent) == _MOST_IN_GROUP:
            until = max(until, self._sent[0] + _WINDOW_S)
        return max(until - now_s, 0.0)

    def begin(self, now_s: float) -> None:
        """A message is about to be sent: nobody else who sends there begins one beside it."""
        self.hold(now_s, _EVERY_S)

    def sent(self, now_s: float) -> None:
        """A message went out, or may have."""
        self._sent.append(now_s)

    def hold(self, now_s: float, seconds: float) -> None:
        """Nothing for so many seconds."""
        self._not_before = max(self._not_before, now_s + seconds)
