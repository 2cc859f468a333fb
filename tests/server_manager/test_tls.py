"""The token only ever goes to a node whose certificate is trusted."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
import hashlib
from pathlib import Path
import ssl
import threading

import aiohttp
import pytest

from custom_components.cubeguardian.server_manager import (
    ApiError,
    CertificateError,
    HostConnectionError,
    HostTimeoutError,
    InvalidInputError,
    ProxmoxAPI,
    ServerManagerError,
    TlsTrust,
    TrustKind,
    accepts,
    fetch_certificate,
    tls,
)
from tests.lab.certificates import NodeCertificates
from tests.lab.pve import TOKEN_ID, TOKEN_SECRET, LabPve
from tests.lab.pve_record import Fault

from .conftest import LOGGER, closed_port, make_api


@dataclass(slots=True)
class Recorder:
    """A TLS server that answers like Proxmox and keeps every byte that it was sent."""

    port: int = 0
    heard: bytearray = field(default_factory=bytearray)
    connections: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        while data := await reader.read(65536):
            self.heard += data
            body = b'{"data":{"version":"9.0"}}'
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        writer.close()


@asynccontextmanager
async def recording(certificates: NodeCertificates) -> AsyncIterator[Recorder]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificates.write())
    recorder = Recorder()
    server = await asyncio.start_server(recorder.serve, "127.0.0.1", 0, ssl=context)
    recorder.port = server.sockets[0].getsockname()[1]
    async with server:
        yield recorder
        server.close_clients()


def client(port: int, trust: TlsTrust, session: aiohttp.ClientSession) -> ProxmoxAPI:
    return ProxmoxAPI(
        LOGGER,
        session=session,
        host="127.0.0.1",
        port=port,
        token_id=TOKEN_ID,
        token_secret=TOKEN_SECRET,
        trust=trust,
        node="pve",
    )


def digest(pem: str) -> str:
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()


@pytest.mark.parametrize("kind", list(TrustKind))
async def test_an_untrusted_server_hears_nothing_at_all(
    kind: TrustKind, tmp_path: Path, session: aiohttp.ClientSession
) -> None:
    stranger = NodeCertificates(tmp_path)
    expected = NodeCertificates(tmp_path)
    trust = {
        TrustKind.SYSTEM: TlsTrust(),
        TrustKind.CA: TlsTrust.pin_authority(expected.authority.pem),
        TrustKind.LEAF: TlsTrust.pin_leaf(digest(expected.leaf.pem)),
    }[kind]
    async with recording(stranger) as recorder:
        for call in (ProxmoxAPI.version, ProxmoxAPI.shutdown):
            api = client(recorder.port, trust, session)
            with pytest.raises(CertificateError) as refused:
                await call(api)
            assert refused.value.fingerprint == digest(stranger.leaf.pem)
    assert recorder.connections
    assert bytes(recorder.heard) == b""


async def test_the_same_server_hears_the_token_once_it_is_trusted(
    tmp_path: Path, session: aiohttp.ClientSession
) -> None:
    certificates = NodeCertificates(tmp_path)
    trust = TlsTrust.pin_authority(certificates.authority.pem)
    async with recording(certificates) as recorder:
        assert await client(recorder.port, trust, session).version() == "9.0"
        expected = f"Authorization: PVEAPIToken={TOKEN_ID}={TOKEN_SECRET}\r\n".encode()
        assert expected in recorder.heard
        assert b"cookie" not in recorder.heard.lower()


async def test_a_session_that_verifies_nothing_does_not_weaken_the_trust(pve: LabPve) -> None:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=False)) as careless:
        with pytest.raises(CertificateError):
            await make_api(pve, careless, trust=TlsTrust()).version()
    assert pve.calls == []


@pytest.mark.parametrize("modern", [False, True])
async def test_a_pinned_authority_survives_the_renewal_of_the_leaf(
    tmp_path: Path, session: aiohttp.ClientSession, modern: bool
) -> None:
    # Only "localhost" is in the certificate: what the node is called does not matter.
    certificates = NodeCertificates(tmp_path, hosts=("elsewhere.lab",), modern_authority=modern)
    async with LabPve(tmp_path, certificates=certificates) as pve:
        pve.add_token()
        api = make_api(pve, session)
        assert await api.version() == pve.version
        pve.renew_leaf()
        assert await make_api(pve, None).version() == pve.version


async def test_another_authority_is_refused_and_shows_its_certificate(
    pve: LabPve, session: aiohttp.ClientSession
) -> None:
    trust = TlsTrust.pin_authority(pve.certificates.authority.pem)
    pve.replace_authority()
    with pytest.raises(CertificateError) as refused:
        await make_api(pve, session, trust=trust).version()
    assert refused.value.fingerprint == digest(pve.certificates.leaf.pem)
    assert refused.value.code == "tls_error"


async def test_a_pinned_leaf_is_trusted_until_it_changes(
    pve: LabPve, session: aiohttp.ClientSession
) -> None:
    trust = TlsTrust.pin_leaf(pve.certificates.leaf.fingerprint)
    assert await make_api(pve, session, trust=trust).version() == pve.version
    pve.renew_leaf()
    with pytest.raises(CertificateError) as refused:
        await make_api(pve, None, trust=trust).version()
    assert refused.value.fingerprint == digest(pve.certificates.leaf.pem)


async def test_one_trust_has_one_object_and_commands_another() -> None:
    leaf = TlsTrust.pin_leaf("ab" * 32)
    kept = await tls.ssl_option(leaf)
    assert isinstance(kept, aiohttp.Fingerprint)
    assert await tls.ssl_option(TlsTrust.pin_leaf("AB:" * 31 + "ab")) is kept
    assert await tls.ssl_option(leaf, kept=False) is not kept
    assert await tls.ssl_option(TlsTrust()) is await tls.ssl_option(TlsTrust())


async def test_contexts_are_built_off_the_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[threading.Thread] = []
    build = ssl.create_default_context

    def watched(*arguments: object, **options: object) -> ssl.SSLContext:
        threads.append(threading.current_thread())
        return build(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(ssl, "create_default_context", watched)
    await tls.ssl_option(TlsTrust.pin_authority(NodeCertificates(tmp_path).authority.pem))
    assert len(threads) == 1
    assert threads[0] is not threading.main_thread()


async def test_the_lasting_trust_of_a_pinned_leaf_is_the_authority_that_signed_it(
    pve: LabPve, session: aiohttp.ClientSession
) -> None:
    leaf = TlsTrust.pin_leaf(pve.certificates.leaf.fingerprint)
    lasting = await make_api(pve, session, trust=leaf).lasting_trust()
    assert lasting == TlsTrust.pin_authority(pve.certificates.authority.pem)
    assert await make_api(pve, session, trust=lasting).lasting_trust() is lasting


async def test_a_certificate_of_somebody_else_stays_pinned_itself(
    pve: LabPve, session: aiohttp.ClientSession
) -> None:
    pve.certificates.use_self_signed()
    pve.present()
    leaf = TlsTrust.pin_leaf(pve.certificates.served.fingerprint)
    api = make_api(pve, session, trust=leaf)
    assert await api.lasting_trust() == leaf
    pve.break_with(Fault.FORBIDDEN, path="/certificates/info")
    assert await api.lasting_trust() == leaf


async def test_a_presented_certificate_is_described(pve: LabPve) -> None:
    found = await fetch_certificate(pve.host, pve.port, 5)
    assert found.fingerprint == digest(pve.certificates.leaf.pem)
    assert "CN=pve.lab" in found.subject
    assert "PVE Cluster Manager CA" in found.issuer
    assert found.not_after == pve.certificates.leaf.certificate.not_valid_after_utc
    assert found.trusted is False
    assert pve.calls == []


async def test_what_the_system_knows_is_trusted(
    pve: LabPve, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = ssl.create_default_context(cadata=pve.certificates.authority.pem)
    system.verify_flags &= ~ssl.VERIFY_X509_STRICT
    monkeypatch.setattr(tls, "_system_context", lambda: system)
    assert (await fetch_certificate(pve.host, pve.port, 5)).trusted


async def test_whether_a_trust_fits_is_found_out_by_a_handshake(
    pve: LabPve, tmp_path: Path
) -> None:
    certificates = pve.certificates
    fits = [
        TlsTrust.pin_authority(certificates.authority.pem),
        TlsTrust.pin_leaf(certificates.leaf.fingerprint),
    ]
    strange = [
        TlsTrust(),
        TlsTrust.pin_leaf("00" * 32),
        TlsTrust.pin_authority(NodeCertificates(tmp_path).authority.pem),
    ]
    assert [await accepts(pve.host, pve.port, trust, 5) for trust in fits] == [True, True]
    assert not any([await accepts(pve.host, pve.port, trust, 5) for trust in strange])
    assert pve.calls == []


type Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def answering(answer: Answer) -> AsyncIterator[int]:
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def close_at_once(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def speak_plainly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)
    writer.write(b"HTTP/1.1 301 Moved Permanently\r\n\r\n")
    writer.close()


async def test_an_address_that_pveproxy_does_not_allow_is_cut_off(
    session: aiohttp.ClientSession,
) -> None:
    async with answering(close_at_once) as port:
        with pytest.raises(HostConnectionError, match="does it allow this address"):
            await client(port, TlsTrust(), session).version()
        with pytest.raises(HostConnectionError):
            await fetch_certificate("127.0.0.1", port, 5)


async def test_a_port_that_speaks_no_tls_is_no_matter_of_trust(
    session: aiohttp.ClientSession,
) -> None:
    async with answering(speak_plainly) as port:
        with pytest.raises(ApiError, match="does not speak TLS"):
            await client(port, TlsTrust(), session).version()
        with pytest.raises(CertificateError, match="does not speak TLS"):
            await fetch_certificate("127.0.0.1", port, 5)


async def test_looking_at_a_certificate_fails_in_time_and_with_the_reason() -> None:
    async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(-1)
        writer.close()

    with pytest.raises(HostConnectionError):
        await fetch_certificate("127.0.0.1", closed_port(), 5)
    async with answering(never) as port:
        with pytest.raises(HostTimeoutError):
            await fetch_certificate("127.0.0.1", port, 0.2)


async def test_a_certificate_that_cannot_be_read_is_refused(
    pve: LabPve, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nonsense(*_: object) -> bytes:
        return b"no certificate"

    monkeypatch.setattr(tls, "_handshake", nonsense)
    with pytest.raises(CertificateError, match="usable"):
        await fetch_certificate(pve.host, pve.port, 5)


async def test_without_a_second_look_the_fingerprint_is_empty() -> None:
    assert await tls.presented_fingerprint("127.0.0.1", closed_port(), 1) == ""


def test_a_trust_is_stored_and_read_back(tmp_path: Path) -> None:
    certificates = NodeCertificates(tmp_path)
    for trust in (
        TlsTrust(),
        TlsTrust.pin_authority(certificates.authority.pem),
        TlsTrust.pin_leaf(certificates.leaf.fingerprint),
    ):
        assert TlsTrust.from_dict(trust.to_dict()) == trust
    assert TlsTrust().to_dict() == {"kind": "system"}
    assert TlsTrust.from_dict({}) == TlsTrust()


@pytest.mark.parametrize(
    "stored", [{"kind": "none"}, {"kind": "ca"}, {"kind": "leaf", "pem": "x"}, {"kind": None}]
)
def test_a_stored_trust_that_trusts_nothing_is_refused(stored: dict[str, str]) -> None:
    with pytest.raises(InvalidInputError):
        TlsTrust.from_dict(stored)


def test_only_certificates_can_be_pinned() -> None:
    with pytest.raises(InvalidInputError):
        TlsTrust.pin_authority("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n")
    for text in ("", "xyz", "ab" * 20):
        with pytest.raises(InvalidInputError):
            TlsTrust.pin_leaf(text)


async def test_a_broken_stored_authority_is_bad_input(
    pve: LabPve, session: aiohttp.ClientSession
) -> None:
    trust = TlsTrust(kind=TrustKind.CA, pem="broken")
    with pytest.raises(ServerManagerError) as refused:
        await make_api(pve, session, trust=trust).version()
    assert refused.value.code == "invalid_input"
