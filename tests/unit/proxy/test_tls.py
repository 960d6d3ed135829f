"""Certificates: what is refused and why, what is read again, what a handshake offers."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat, load_pem_private_key

from agent.errors import ConfigError
from agent.proxy.tls import ListenerTls, upstream_tls
from tests.parts import logged

AUTHORITY = trustme.CA()


class Files:
    """A certificate and its key on disk, issued for one name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cert = folder / "tls.crt"
        self.key = folder / "tls.key"

    def issue(self, name: str) -> Files:
        leaf = AUTHORITY.issue_cert(name)
        self.cert.write_bytes(b"".join(pem.bytes() for pem in leaf.cert_chain_pems))
        self.key.write_bytes(leaf.private_key_pem.bytes())
        return self

    def listener(self) -> ListenerTls:
        return ListenerTls(str(self.cert), str(self.key))

    def faults(self) -> str:
        with pytest.raises(ConfigError) as caught:
            self.listener()
        return "\n".join(caught.value.faults)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path).issue("a.example")


@pytest.fixture
def authorities(tmp_path: Path) -> str:
    path = tmp_path / "ca.crt"
    AUTHORITY.cert_pem.write_to_path(str(path))
    return str(path)


def handshake(
    server: ssl.SSLContext, client: ssl.SSLContext, name: str | None, session: ssl.SSLSession | None = None
) -> ssl.SSLObject:
    """Shake hands in memory; give the client's end."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    theirs = server.wrap_bio(to_server, to_client, server_side=True)
    ours = client.wrap_bio(to_client, to_server, server_hostname=name, session=session)
    unfinished = [ours, theirs]
    for _ in range(10):
        for end in list(unfinished):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
            unfinished.remove(end)
    assert not unfinished
    theirs.write(b"x")
    assert ours.read() == b"x"  # with the tickets before it
    return ours


def shown_name(listener: ListenerTls, authorities: str, name: str) -> bool:
    """Whether a client that trusts the authority takes the listener for `name`."""
    try:
        handshake(listener.context, upstream_tls(authorities, True, http2=False), name)
    except ssl.SSLCertVerificationError:
        return False
    return True


def test_clients_are_shown_the_certificate(files: Files, authorities: str) -> None:
    listener = files.listener()
    assert shown_name(listener, authorities, "a.example")
    assert not shown_name(listener, authorities, "b.example")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_sessions_are_resumed_over_a_reload(files: Files, authorities: str, version: ssl.TLSVersion) -> None:
    listener = files.listener()
    client = upstream_tls(authorities, True, http2=False)
    client.maximum_version = version
    session = handshake(listener.context, client, "a.example").session
    listener.reload()
    assert handshake(listener.context, client, "a.example", session).session_reused


def test_missing_files_are_named_both_at_once(tmp_path: Path) -> None:
    faults = Files(tmp_path / "nowhere").faults()
    assert f"OUTRIDER_TLS_CERT={tmp_path}/nowhere/tls.crt: can't be read (No such file" in faults
    assert f"OUTRIDER_TLS_KEY={tmp_path}/nowhere/tls.key: can't be read (No such file" in faults


def test_files_that_are_not_pem_are_named(files: Files) -> None:
    files.cert.write_bytes(b"\x30\x82\xff")
    files.key.write_bytes(b"")
    faults = files.faults()
    assert "OUTRIDER_TLS_CERT" in faults
    assert "no certificate in it" in faults
    assert "no private key in it" in faults


def test_a_damaged_certificate_is_named(files: Files) -> None:
    files.cert.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    faults = files.faults()
    assert "OUTRIDER_TLS_CERT" in faults
    assert "its certificate is damaged" in faults


def test_a_damaged_key_is_named(files: Files) -> None:
    files.key.write_text("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
    faults = files.faults()
    assert "OUTRIDER_TLS_KEY" in faults
    assert "its key is damaged" in faults


def test_the_key_of_another_certificate_is_refused(files: Files) -> None:
    files.key.write_bytes(AUTHORITY.issue_cert("a.example").private_key_pem.bytes())
    faults = files.faults()
    assert f"OUTRIDER_TLS_KEY={files.key}" in faults
    assert f"not the key of the certificate in {files.cert}" in faults


def test_a_key_with_a_password_is_refused_and_nobody_is_asked(files: Files) -> None:
    key = load_pem_private_key(files.key.read_bytes(), None)
    files.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")))
    faults = files.faults()
    assert "OUTRIDER_TLS_KEY" in faults
    assert "asks for a password" in faults


def test_http1_alone_is_offered_at_first(files: Files, authorities: str) -> None:
    listener = files.listener()
    both = upstream_tls(authorities, True, http2=True)
    both.set_alpn_protocols(["h2", "http/1.1"])
    assert handshake(listener.context, both, "a.example").selected_alpn_protocol() == "http/1.1"


def test_http2_is_offered_and_taken_back_live_and_the_choice_survives_a_reload(files: Files, authorities: str) -> None:
    listener = files.listener()
    both = upstream_tls(authorities, True, http2=True)
    both.set_alpn_protocols(["http/1.1", "h2"])
    listener.offer_http2(True)
    assert handshake(listener.context, both, "a.example").selected_alpn_protocol() == "h2"
    listener.reload()
    assert handshake(listener.context, both, "a.example").selected_alpn_protocol() == "h2"
    listener.offer_http2(False)
    assert handshake(listener.context, both, "a.example").selected_alpn_protocol() == "http/1.1"


def test_the_newest_certificate_also_meets_clients_that_name_no_server(files: Files) -> None:
    listener = files.listener()
    before = handshake(listener.context, upstream_tls("", False, http2=False), None).getpeercert(True)
    files.issue("b.example")
    listener.reload_if_changed()
    after = handshake(listener.context, upstream_tls("", False, http2=False), None).getpeercert(True)
    assert before != after


def test_changed_files_are_read_once(files: Files, authorities: str) -> None:
    listener = files.listener()
    with logged("outrider.proxy") as lines:
        listener.reload_if_changed()
        files.issue("b.example")
        listener.reload_if_changed()
        listener.reload_if_changed()
    assert lines == [f"info: certificate read again cert={files.cert}"]
    assert shown_name(listener, authorities, "b.example")


def test_a_swapped_link_counts_as_a_change(tmp_path: Path, authorities: str) -> None:
    # As Kubernetes does it: files are links through ..data, which is a link to a folder, renamed over.
    for folder, name in (("one", "a.example"), ("two", "b.example")):
        (tmp_path / folder).mkdir()
        Files(tmp_path / folder).issue(name)
    data = tmp_path / "..data"
    data.symlink_to("one")
    mounted = Files(tmp_path)
    mounted.cert.symlink_to("..data/tls.crt")
    mounted.key.symlink_to("..data/tls.key")
    listener = mounted.listener()
    (tmp_path / "..tmp").symlink_to("two")
    (tmp_path / "..tmp").rename(data)
    listener.reload_if_changed()
    assert shown_name(listener, authorities, "b.example")


def test_what_cannot_be_used_is_said_once_and_the_certificate_before_stays(files: Files, authorities: str) -> None:
    listener = files.listener()
    with logged("outrider.proxy") as lines:
        files.key.write_text("half a fi")
        listener.reload_if_changed()
        listener.reload_if_changed()
        assert shown_name(listener, authorities, "a.example")
        files.key.unlink()
        listener.reload_if_changed()
        listener.reload_if_changed()
        assert shown_name(listener, authorities, "a.example")
        files.issue("b.example")
        listener.reload_if_changed()
    assert [line.partition(" reason")[0] for line in lines] == [
        "error: the new certificate can't be used; the one before stays",
        "error: the new certificate can't be used; the one before stays",
        f"info: certificate read again cert={files.cert}",
    ]
    assert shown_name(listener, authorities, "b.example")


def test_a_forced_reload_reads_files_that_look_the_same(files: Files) -> None:
    listener = files.listener()
    with logged("outrider.proxy") as lines:
        listener.reload()
    assert lines == [f"info: certificate read again cert={files.cert}"]


def test_old_versions_of_tls_are_refused(files: Files, authorities: str) -> None:
    assert files.listener().context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert upstream_tls(authorities, True, http2=False).minimum_version == ssl.TLSVersion.TLSv1_2


@pytest.mark.parametrize(("http2", "chosen"), [(True, "h2"), (False, "http/1.1")])
def test_an_upstream_is_offered_just_what_the_client_speaks(files: Files, authorities: str, http2: bool, chosen: str) -> None:
    listener = files.listener()
    listener.offer_http2(True)
    client = upstream_tls(authorities, True, http2=http2)
    assert handshake(listener.context, client, "a.example").selected_alpn_protocol() == chosen


def test_an_upstream_with_another_authority_is_refused_unless_told_not_to_look(files: Files, tmp_path: Path) -> None:
    other = tmp_path / "other.crt"
    trustme.CA().cert_pem.write_to_path(str(other))
    listener = files.listener()
    assert not shown_name(listener, str(other), "a.example")
    handshake(listener.context, upstream_tls(str(other), False, http2=False), "b.example")


def test_a_servers_own_certificate_will_do_as_authority(files: Files) -> None:
    assert shown_name(files.listener(), str(files.cert), "a.example")


@pytest.mark.parametrize("content", [None, "nothing", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_authorities_that_cannot_be_used_are_named(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "ca.crt"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigError, match=f"OUTRIDER_UPSTREAM_CA={path}"):
        upstream_tls(str(path), True, http2=False)


def test_looking_at_unchanged_files_reads_nothing(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    listener = files.listener()
    with monkeypatch.context() as patched:
        patched.setattr(ListenerTls, "_read", lambda _self: pytest.fail("the files were read"))
        listener.reload_if_changed()
