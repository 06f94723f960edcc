"""One pybit HTTP session, made safe: no retries of its own, our clock in its signatures, failures as values.

pybit builds, signs and sends; this subclass replaces the hooks that would retry, sleep, or put a request body into an
exception. Import it late: pybit costs 140 ms.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast
from urllib.parse import urlsplit

import msgspec
import requests
from pybit._http_manager import generate_signature
from pybit.position import Position
from pybit.trade import Trade
from pybit.unified_trading import HTTP
from requests.adapters import HTTPAdapter
from urllib3 import Timeout
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    MaxRetryError,
    NameResolutionError,
    NewConnectionError,
    ReadTimeoutError,
    SSLError,
)

from mirrorctl.core.bybit.failures import CallFailed, Failure, FailureKind
from mirrorctl.core.bybit.link import AccountLink
from mirrorctl.core.bybit.posting import LOST, Posting
from mirrorctl.core.bybit.quiet import silence
from mirrorctl.core.bybit.quotas import Quota, quota_of, reset_s

_NO_CODE = frozenset((-987654321,))  # an empty set would bring pybit's own retry codes back
_REDIRECTS = frozenset((301, 302, 303, 307, 308))
_REDIRECTED = "redirected to another address"
_BEFORE_SENDING = (NewConnectionError, NameResolutionError, ConnectTimeoutError)

PATHS = {
    "place_order": str(Trade.PLACE_ORDER),
    "amend_order": str(Trade.AMEND_ORDER),
    "cancel_order": str(Trade.CANCEL_ORDER),
    "set_trading_stop": str(Position.SET_TRADING_STOP),
    "set_leverage": str(Position.SET_LEVERAGE),
}
"""Where pybit sends each write that carries one action out."""


class _OneHost(HTTPAdapter):
    """The transport of one address: its pool of connections is looked up once, and not from the URL of each call."""

    _pool: HTTPConnectionPool | None = None

    def opened(self, url: str) -> HTTPConnectionPool:
        """The pool, made as for any call and set to check the certificate."""
        if self._pool is None:
            pool = self.get_connection_with_tls_context(requests.Request("POST", url).prepare(), verify=True)
            check_certificates: Callable[..., None] = self.cert_verify
            check_certificates(pool, url, verify=True, cert=None)
            self._pool = pool
        return self._pool

    def get_connection_with_tls_context(
        self,
        request: requests.PreparedRequest,
        verify: bool | str | None,
        proxies: Mapping[str, str] | None = None,
        cert: Any = None,
    ) -> HTTPConnectionPool:
        if self._pool is None:
            found = super().get_connection_with_tls_context(request, verify, proxies, cert)
            self._pool = cast("HTTPConnectionPool", found)
        return self._pool

    def close(self) -> None:
        self._pool = None
        super().close()


class Session(HTTP):  # type: ignore[misc]  # pybit ships no types
    """A `pybit.unified_trading.HTTP` bound to one account. One thread at a time."""

    def __init__(self, link: AccountLink, timeout_s: float, recv_window_ms: int) -> None:
        silence()
        super().__init__(
            api_key=link.api_key,
            api_secret=link.api_secret,
            timeout=(min(timeout_s, 3.0), timeout_s),
            recv_window=recv_window_ms,
            force_retry=False,
            max_retries=1,
            retry_codes=set(_NO_CODE),
        )
        silence()  # again: pybit adds a handler of its own where the root logger has none
        self._link = link
        self.quota: Quota | None = None  # what the last reply said of the limits
        self.endpoint = link.endpoints.rest
        self.client.trust_env = False
        self.client.max_redirects = 0  # a redirect would carry the signed headers elsewhere
        self._transport = _OneHost()
        self.client.mount(self.endpoint, self._transport)
        self._fixed_headers = {name: str(value) for name, value in self.client.headers.items()}
        self._patience = Timeout(connect=min(timeout_s, 3.0), read=timeout_s)
        self._timeout_s = timeout_s
        self._posting: Posting | None = None

    def __repr__(self) -> str:
        return f"Session({self._link.account})"

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """The whole envelope of a call with retCode 0. All that the network can do is raised as CallFailed."""
        self.quota = None
        send: Callable[..., dict[str, Any]] = getattr(self, method)
        try:
            return send(**params)
        except requests.RequestException as error:
            raise CallFailed(_network_failure(error)) from None

    def close(self) -> None:
        """Close the kept connections."""
        self._posting = None
        self.client.close()

    # --- a write in two halves ---

    def take(self) -> HTTPConnection | None:
        """A connection that stands open, for `post` or `put_back`; None for none."""
        if self._posting is None:
            pool = self._transport.opened(self.endpoint)
            self._posting = Posting(pool, urlsplit(self.endpoint).netloc, self._fixed_headers, self._timeout_s)
        return self._posting.take()

    def put_back(self, connection: HTTPConnection) -> None:
        if self._posting is not None:
            self._posting.put_back(connection)

    def post(self, connection: HTTPConnection, method: str, params: dict[str, Any]) -> None:
        """Write a call of PATHS. `answer` has to follow, on whatever thread."""
        if self._posting is not None:
            payload = msgspec.json.encode(params)
            headers = self._prepare_headers(payload.decode(), self.recv_window)
            self._posting.write(connection, PATHS[method], headers, payload)

    def answer(self, connection: HTTPConnection) -> dict[str, Any]:
        """What `call` returns and raises, for what was posted on it."""
        self.quota = None
        try:
            if self._posting is None:
                raise ConnectionAbortedError
            found = self._posting.read(connection)
        except TimeoutError:
            raise CallFailed(Failure(FailureKind.INTERRUPTED, "no answer in time")) from None
        except LOST as error:
            raise CallFailed(_failure(error)) from None
        if found.status in _REDIRECTS and any(name.lower() == "location" for name in found.headers):
            raise CallFailed(Failure(FailureKind.UNREADABLE, _REDIRECTED))
        self._check_status(found.status)
        return self._envelope(found.headers, lambda: msgspec.json.decode(found.body))

    # --- pybit's hooks ---

    def _submit_request(
        self,
        method: str | None = None,
        path: str | None = None,
        query: dict[str, Any] | None = None,
        auth: bool = False,
    ) -> dict[str, Any]:
        """A signed write goes out as it is. Reads go pybit's way, and may have a query to be encoded.

        What requests does before and after each call for cookies, proxies, hooks and encodings takes longer than the
        rest of it, so a write goes straight to the pool of connections.
        """
        if method != "POST" or not auth or path is None:
            envelope: dict[str, Any] = super()._submit_request(method, path, query, auth)
            return envelope
        payload = self.prepare_payload(method, self._clean_query(query))
        headers = self._fixed_headers | self._prepare_headers(payload, self.recv_window)
        try:
            response = self._transport.opened(path).urlopen(
                method,
                path.removeprefix(self.endpoint),
                body=payload.encode(),
                headers=headers,
                retries=False,
                redirect=False,
                assert_same_host=False,
                timeout=self._patience,
            )
        except HTTPError as error:
            raise CallFailed(_failure(error)) from None
        if response.get_redirect_location():
            raise CallFailed(Failure(FailureKind.UNREADABLE, _REDIRECTED))
        self._check_status(response.status)
        return self._envelope(response.headers, response.json)

    def _prepare_headers(
        self, payload: str, recv_window: int, content_type: str = "application/json"
    ) -> dict[str, str]:
        stamp = str(self._link.clock.now_ms())
        signed = f"{stamp}{self.api_key}{recv_window}{payload}"
        return {
            "Content-Type": content_type,
            "X-BAPI-API-KEY": self.api_key,
            "X-BAPI-TIMESTAMP": stamp,
            "X-BAPI-RECV-WINDOW": str(recv_window),
            "X-BAPI-SIGN-TYPE": "2",
            "X-BAPI-SIGN": generate_signature(self.rsa_authentication, self.api_secret, signed),
        }

    def _check_status_code(self, response: requests.Response, *_: object) -> None:
        self._check_status(response.status_code)

    def _check_status(self, status: int) -> None:
        if status == 200:
            return
        if status == 403:
            raise CallFailed(Failure(FailureKind.HTTP, _STATUSES[403], 403, self._link.traffic.address.stop_s))
        raise CallFailed(Failure(FailureKind.HTTP, _STATUSES.get(status, f"HTTP status {status}"), status))

    def _handle_response(self, response: requests.Response, *_: object) -> dict[str, Any]:
        return self._envelope(response.headers, response.json)

    def _envelope(self, headers: Mapping[str, str], decode: Callable[[], Any]) -> dict[str, Any]:
        self.quota = quota_of(headers)
        try:
            envelope = decode()
        except ValueError:
            raise CallFailed(Failure(FailureKind.UNREADABLE, "the answer is not JSON")) from None
        code = envelope.get("retCode") if isinstance(envelope, dict) else None
        if not isinstance(code, int):
            raise CallFailed(Failure(FailureKind.UNREADABLE, "the answer is not one of Bybit's"))
        if code != 0:
            said = self._link.redact(str(envelope.get("retMsg") or ""))
            raise CallFailed(Failure(FailureKind.REFUSED, said, code, self._reset_s(code)))
        return dict(envelope)

    def _handle_network_error(self, error: requests.RequestException, *_: object) -> None:
        raise CallFailed(_network_failure(error)) from None

    def _reset_s(self, code: int) -> float | None:
        """Seconds until the rate limit of the endpoint resets; None when the answer does not say."""
        return reset_s(self.quota, self._link.clock.now_ms()) if code == 10006 else None


_STATUSES = {
    400: "HTTP 400: the request was not understood",
    401: "HTTP 401: authentication is missing or wrong",
    403: "HTTP 403: this IP address sent too much, or its region is not served",
    404: "HTTP 404: no such path, or the category does not fit the account",
    429: "HTTP 429: system protection of the exchange",
}


def _network_failure(error: requests.RequestException) -> Failure:
    """Sent or not is all that matters; the texts of requests name hosts, paths and queries, so ours name a class."""
    cause = error.args[0] if error.args else None
    reason = cause.reason if isinstance(cause, MaxRetryError) else cause
    if isinstance(error, requests.ConnectTimeout):
        return Failure(FailureKind.NOT_CONNECTED, f"no connection: {_plain_reason(reason)}")
    if isinstance(error, requests.TooManyRedirects):
        return Failure(FailureKind.UNREADABLE, _REDIRECTED)
    if isinstance(error, requests.Timeout):
        return Failure(FailureKind.INTERRUPTED, "no answer in time")
    return _failure(reason if isinstance(reason, HTTPError) else error)


def _failure(error: Exception) -> Failure:
    """What the connections' own library raised."""
    if isinstance(error, _BEFORE_SENDING):
        return Failure(FailureKind.NOT_CONNECTED, f"no connection: {_plain_reason(error)}")
    if isinstance(error, SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(error):
        return Failure(FailureKind.NOT_CONNECTED, "no connection: the certificate is not trusted")
    if isinstance(error, ReadTimeoutError):
        return Failure(FailureKind.INTERRUPTED, "no answer in time")
    return Failure(FailureKind.INTERRUPTED, f"connection lost before the answer: {type(error).__name__}")


def _plain_reason(reason: object) -> str:
    if isinstance(reason, NameResolutionError):
        return "the host name is unknown"
    return "refused or unreachable" if isinstance(reason, NewConnectionError) else "timed out"
