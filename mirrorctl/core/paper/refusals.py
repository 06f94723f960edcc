"""Refusals: a business error of Bybit V5 (docs v5/error), raised inside and turned into an envelope at the edge."""


class Refusal(Exception):
    """`code` is the retCode, `message` the retMsg."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code} {message}")
        self.code = code
        self.message = message


class PortInUseError(OSError):
    """The address of a paper server is taken."""


def bad(message: str) -> Refusal:
    """10001, the parameter error."""
    return Refusal(10001, message)
