"""Where keys travel: to the named host over checked TLS, or to this machine; nowhere else. The secret never does."""

from __future__ import annotations

import datetime
import ipaddress
import logging
import socket
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from mirrorctl.core.bybit.failures import CallFailed, FailureKind, Malformed
from mirrorctl.core.bybit.session import Session
from mirrorctl.core.domain.actions import NotSent, RejectedOutcome
from mirrorctl.core.domain.errors import Rejected, Unavailable
from mirrorctl.core.engine.ports import StreamDown, StreamUp
from tests.integration.bybit.scripted import (
    KEY,
    SECRET,
    ScriptedHttp,
    ScriptedStream,
    Wire,
    envelope,
    http,
    rest_to,
)
from tests.integration.bybit.test_streams import streaming
from tests.integration.bybit.test_writes import PLACE

ECHO = f"error sign! origin_string[1682321990138{KEY}5000category=linear], sign=cafe {SECRET}"


def certificate(folder: Path, address: str) -> tuple[Path, Path]:
    """A self-signed certificate for an IP address, and its key; both as PEM files."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, address)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    encoding, no_password = serialization.Encoding.PEM, serialization.NoEncryption()
    paths = folder / "cert.pem", folder / "key.pem"
    paths[0].write_bytes(made.public_bytes(encoding))
    paths[1].write_bytes(key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, no_password))
    return paths


def tls_of(paths: tuple[Path, Path]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*paths)
    return context


class TlsHttp(ScriptedHttp):
    """A scripted exchange behind TLS."""

    tls: ssl.SSLContext

    def serve(self, connection: socket.socket) -> None:
        super().serve(self.tls.wrap_socket(connection, server_side=True))


class TlsStream(ScriptedStream):
    """A scripted stream behind TLS."""

    tls: ssl.SSLContext

    def serve(self, connection: socket.socket) -> None:
        super().serve(self.tls.wrap_socket(connection, server_side=True))


class RedirectingStream(ScriptedStream):
    """Answers the handshake with another address."""

    to = ""

    def serve(self, connection: socket.socket) -> None:
        connection.recv(65_536)
        connection.sendall(f"HTTP/1.1 302 Found\r\nLocation: {self.to}\r\nContent-Length: 0\r\n\r\n".encode())


def healthy(wire: Wire) -> None:
    wire.log_in()
    wire.answer_pings()


# --- TLS --------------------------------------------------------------------------------------------------------------


def test_a_certificate_that_nobody_vouches_for_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    server = TlsHttp(lambda _: envelope({"list": []}))
    server.tls = tls_of(certificate(tmp_path, "127.0.0.1"))
    with server, rest_to(f"https://127.0.0.1:{server.port}", read_attempts=1) as rest:
        with pytest.raises(Unavailable, match="the certificate is not trusted"):
            rest.open_orders()
        assert isinstance(rest.execute(PLACE), NotSent)
        first = Session(rest.link, 2.0, 5_000)  # whose first call is a write
        with pytest.raises(CallFailed) as refused:
            first.call("place_order", category="linear", symbol="BTCUSDT", side="Buy", orderType="Market", qty="1")
        assert refused.value.failure.kind is FailureKind.NOT_CONNECTED
        assert server.requests == []


def test_a_stream_checks_the_certificate_too(tmp_path: Path) -> None:
    server = TlsStream(healthy)
    server.tls = tls_of(certificate(tmp_path, "127.0.0.1"))
    with server, streaming(f"wss://127.0.0.1:{server.port}/v5/private") as (_, heard):
        down = heard.next()
        assert isinstance(down, StreamDown)
        assert down.reason == "connection failed: SSLCertVerificationError"
        assert server.connections == 0, "no handshake, let alone a key"


@pytest.mark.parametrize(("address", "fits"), [("127.0.0.1", True), ("127.0.0.2", False)])
def test_a_trusted_certificate_must_be_that_of_the_host(
    address: str, fits: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = certificate(tmp_path, address)
    monkeypatch.setenv("WEBSOCKET_CLIENT_CA_BUNDLE", str(paths[0]))
    server = TlsStream(healthy)
    server.tls = tls_of(paths)
    with server, streaming(f"wss://127.0.0.1:{server.port}/v5/private") as (_, heard):
        assert isinstance(heard.next(), StreamUp if fits else StreamDown)


# --- redirects --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirected_request_goes_nowhere_else(status: int) -> None:
    with ScriptedHttp(lambda _: envelope({"list": []})) as other:
        moved = http(status, "", {"Location": f"{other.url}/v5/order/realtime"})
        with ScriptedHttp(lambda _: moved) as server, rest_to(server.url, read_attempts=1) as rest:
            with pytest.raises(Malformed, match="redirected to another address"):
                rest.open_orders()
            assert not isinstance(rest.execute(PLACE), NotSent), "it may have been carried out: in doubt"
        assert other.requests == []


def test_a_redirected_stream_sends_no_key() -> None:
    seen: list[object] = []

    def thief(wire: Wire) -> None:
        seen.append(wire.receive())

    server = RedirectingStream()
    with ScriptedStream(thief) as other, server:
        server.to = other.url
        with streaming(server.url) as (_, heard):
            down = heard.next()
            assert isinstance(down, StreamDown)
            assert down.reason == "redirected to another address"
        assert other.connections
    assert seen == []


# --- what is on the wire, and what comes back -----------------------------------------------------------------------


@pytest.mark.proves("A73")
def test_the_secret_is_never_on_the_wire() -> None:
    with ScriptedHttp(lambda _: envelope({"orderId": "1", "list": []})) as server, rest_to(server.url) as rest:
        rest.execute(PLACE)
        rest.open_orders()
        assert len(server.requests) == 2
        for request in server.requests:
            assert SECRET not in str(request)
            assert request.headers["x-bapi-api-key"] == KEY
            assert KEY not in request.path + request.query + str(request.body), "an address ends up in other logs"


@pytest.mark.proves("A73")
def test_keys_in_the_answer_to_a_wrong_signature_are_not_repeated(caplog: pytest.LogCaptureFixture) -> None:
    """Bybit answers 10004 with the text that was signed, and that begins with time and key."""

    def refusing(wire: Wire) -> None:
        wire.refuse(wire.receive(), "x" * 100 + KEY)

    with caplog.at_level(logging.DEBUG):
        with ScriptedHttp(lambda _: envelope({}, 10004, ECHO)) as server, rest_to(server.url) as rest:
            with pytest.raises(Rejected) as caught:
                rest.open_orders()
            outcome = rest.execute(PLACE)
            assert isinstance(outcome, RejectedOutcome)
        with ScriptedStream(refusing) as stream_server, streaming(stream_server.url) as (_, heard):
            down = heard.next()
            assert isinstance(down, StreamDown)
    said = f"{caught.value} {outcome} {down} {caplog.text}"
    assert "origin_string[1682321990138***5000" in said
    assert KEY[:8] not in said
    assert SECRET not in said
