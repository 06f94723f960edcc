"""A request in two halves, over a connection that stands open: written by whoever has it, answered on another thread.

What the connections' own library does for a request takes longer than to write it, and whoever decides may not wait for
an answer. What has to open a connection first goes the library's way.
"""

from __future__ import annotations

from collections.abc import Mapping
from http.client import HTTPException, HTTPResponse
from typing import NamedTuple

from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool
from urllib3.exceptions import HTTPError

_OF_BODIES = ("accept-encoding", "content-type", "content-length")


class Answered(NamedTuple):
    """What came back, whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Posting:
    """Of one pool. One thread at a time; every connection that is taken out is put back, or read from."""

    def __init__(self, pool: HTTPConnectionPool, host: str, headers: Mapping[str, str], timeout_s: float) -> None:
        """`headers` go with every request, but for those that say what a body is and how one may be packed."""
        self._pool = pool
        self._timeout_s = timeout_s
        lines = {"Host": host, **{name: value for name, value in headers.items() if name.lower() not in _OF_BODIES}}
        self._fixed = "".join(f"{name}: {value}\r\n" for name, value in lines.items())

    def take(self) -> HTTPConnection | None:
        """A connection that stands open, as far as anyone knows; None for none."""
        try:
            found = self._pool._get_conn()
        except HTTPError:
            return None
        if isinstance(found, HTTPConnection) and found.is_connected:
            return found
        self._pool._put_conn(found)
        return None

    def put_back(self, connection: HTTPConnection) -> None:
        self._pool._put_conn(connection)

    def write(self, connection: HTTPConnection, path: str, headers: Mapping[str, str], body: bytes) -> None:
        """Never waits: nothing else is on its way there. Where perhaps not all of it went, `read` says so."""
        lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
        head = f"POST {path} HTTP/1.1\r\n{self._fixed}{lines}Content-Length: {len(body)}\r\n\r\n"
        try:
            connection.sock.settimeout(self._timeout_s)
            connection.sock.sendall(head.encode("latin-1") + body)
        except OSError:
            connection.close()

    def read(self, connection: HTTPConnection) -> Answered:
        """Wait for the answer. Raises OSError (TimeoutError) or HTTPException when there is none."""
        whole = False
        try:
            if connection.sock is None:
                raise ConnectionResetError
            response = HTTPResponse(connection.sock, method="POST")
            try:
                response.begin()
                body = response.read()
                whole = not response.will_close
            finally:
                response.close()
            return Answered(response.status, dict(response.headers), body)
        finally:
            if not whole:
                connection.close()
            self.put_back(connection)


LOST = (OSError, HTTPException)
