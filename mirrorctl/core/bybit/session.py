"""One pybit HTTP session, made safe: no retries of its own, our clock in its signatures, failures as values.

pybit builds, signs and sends; this subclass replaces the hooks that would retry, sleep, or put a request body into an
exception. Import it late: pybit costs 140 ms.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import requests
from pybit._http_manager import generate_signature
from pybit.unified_trading import HTTP
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from urllib3.connectionpool import ConnectionPool
from urllib3.exceptions import ConnectTimeoutError, MaxRetryError, NameResolutionError, NewConnectionError

from mirrorctl.core.bybit.failures import CallFailed, Failure, FailureKind
from mirrorctl.core.bybit.link import AccountLink
from mirrorctl.core.bybit.quiet import silence
from mirrorctl.core.bybit.quotas import Quota, quota_of, reset_s

_NO_CODE = frozenset((-987654321,))  # an empty set would bring pybit's own retry codes back
_BEFORE_SENDING = (NewConnectionError, NameResolutionError, ConnectTimeoutError)


class _OneHost(HTTPAdapter):
    """The transport of one address: its pool of connections is looked up once, and not from the URL of each call."""

    _pool: ConnectionPool | None = None

    def get_connection_with_tls_context(
        self,
        request: requests.PreparedRequest,
        verify: bool | str | None,
        proxies: Mapping[str, str] | None = None,
        cert: Any = None,
    ) -> ConnectionPool:
        if self._pool is None:
            self._pool = super().get_connection_with_tls_context(request, verify, proxies, cert)
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
        self.client.mount(self.endpoint, _OneHost())

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
        self.client.close()

    # --- pybit's hooks ---

    def _submit_request(
        self,
        method: str | None = None,
        path: str | None = None,
        query: dict[str, Any] | None = None,
        auth: bool = False,
    ) -> dict[str, Any]:
        """A signed write goes out as it is. Reads go pybit's way, and may have a query to be encoded.

        What requests does before each call for cookies, proxies, hooks and encodings takes longer than the rest of it.
        """
        if method != "POST" or not auth or path is None:
            envelope: dict[str, Any] = super()._submit_request(method, path, query, auth)
            return envelope
        body = self.prepare_payload(method, self._clean_query(query)).encode()
        request = requests.PreparedRequest()
        request.method, request.url, request.body = method, path, body
        request.headers = CaseInsensitiveDict(self.client.headers)
        request.headers.update(self._prepare_headers(body.decode(), self.recv_window))
        request.headers["Content-Length"] = str(len(body))
        response = self.client.get_adapter(path).send(request, timeout=self.timeout, verify=True)
        response.content  # noqa: B018 - reads it, so that what goes wrong meanwhile is raised here
        if response.is_redirect:
            raise requests.TooManyRedirects(response=response)
        self._check_status_code(response)
        return self._handle_response(response)

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
        status = response.status_code
        if status == 200:
            return
        if status == 403:
            raise CallFailed(Failure(FailureKind.HTTP, _STATUSES[403], 403, self._link.traffic.address.stop_s))
        raise CallFailed(Failure(FailureKind.HTTP, _STATUSES.get(status, f"HTTP status {status}"), status))

    def _handle_response(self, response: requests.Response, *_: object) -> dict[str, Any]:
        self.quota = quota_of(response.headers)
        try:
            envelope = response.json()
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
    if isinstance(error, requests.ConnectTimeout) or isinstance(reason, _BEFORE_SENDING):
        return Failure(FailureKind.NOT_CONNECTED, f"no connection: {_plain_reason(reason, error)}")
    if isinstance(error, requests.exceptions.SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(reason):
        return Failure(FailureKind.NOT_CONNECTED, "no connection: the certificate is not trusted")
    if isinstance(error, requests.Timeout):
        return Failure(FailureKind.INTERRUPTED, "no answer in time")
    if isinstance(error, requests.TooManyRedirects):
        return Failure(FailureKind.UNREADABLE, "redirected to another address")
    return Failure(FailureKind.INTERRUPTED, f"connection lost before the answer: {type(error).__name__}")


def _plain_reason(reason: object, error: Exception) -> str:
    if isinstance(reason, NameResolutionError):
        return "the host name is unknown"
    if isinstance(reason, NewConnectionError):
        return "refused or unreachable"
    return "timed out" if isinstance(error, requests.ConnectTimeout) else "not possible"
