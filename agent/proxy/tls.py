"""TLS on both sides: the listener's certificate, read again when its files change, and the context for upstreams.

A certificate is never loaded into a context that serves. Each is read whole into a fresh context, and only one that is sound
becomes the one that new handshakes are handed to, in a single assignment: a certificate and a key that are swapped one after
the other never meet half-way.
"""

from __future__ import annotations

import logging
import os
import ssl
from pathlib import Path
from typing import NoReturn

from agent.errors import ConfigError

log = logging.getLogger("outrider.proxy")

_HTTP1 = ["http/1.1"]
_HTTP2 = ["h2", "http/1.1"]

_Stamp = tuple[tuple[int, int, int, int], ...]
"""Device, inode, time of change and size of each file, empty where one is missing."""


class ListenerTls:
    """What clients are shown.

    Parameters
    ----------
    cert
        The path of the chain in PEM, the server's own certificate first.
    key
        The path of its private key in PEM, without a password.

    Attributes
    ----------
    context
        For the listener, for good: it hands each handshake to the newest certificate.

    Raises
    ------
    ConfigError
        With each file that can't be used, and why.
    """

    def __init__(self, cert: str, key: str) -> None:
        self._cert = cert
        self._key = key
        self._protocols = _HTTP1
        self._stamp = self._look()
        self._newest = self._read()
        self.context = self._read()
        # Called in each handshake, also where the client names no server.
        self.context.sni_callback = self._hand_over

    def _hand_over(self, handshake: ssl.SSLObject, _name: str, _context: ssl.SSLContext) -> None:
        handshake.context = self._newest

    def offer_http2(self, yes: bool) -> None:
        """Choose what new handshakes offer by ALPN: ``h2`` before ``http/1.1``, or ``http/1.1`` alone."""
        self._protocols = _HTTP2 if yes else _HTTP1
        for context in (self.context, self._newest):
            context.set_alpn_protocols(self._protocols)

    def reload_if_changed(self) -> None:
        """Read the files again if one is another than it was; what a link points to counts. Costs two look-ups of files."""
        if self._look() != self._stamp:
            self.reload()

    def reload(self) -> None:
        """Read the files again. What can't be used is said in the log, and clients go on being shown the certificate before."""
        self._stamp = self._look()  # before reading: what changes meanwhile is seen the next time
        try:
            self._newest = self._read()
        except ConfigError as error:
            log.error("the new certificate can't be used; the one before stays reason=%r", "; ".join(error.faults))
        else:
            log.info("certificate read again cert=%s", self._cert)

    def _look(self) -> _Stamp:
        try:
            found = [os.stat(path) for path in (self._cert, self._key)]  # noqa: PTH116 - two calls a second, no objects
        except OSError:
            return ()
        return tuple((file.st_dev, file.st_ino, file.st_mtime_ns, file.st_size) for file in found)

    def _read(self) -> ssl.SSLContext:
        faults = _unreadable("OUTRIDER_TLS_CERT", self._cert, "CERTIFICATE-----")
        faults += _unreadable("OUTRIDER_TLS_KEY", self._key, "PRIVATE KEY-----")
        if faults:
            raise ConfigError(faults)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(self._protocols)
        try:
            context.load_cert_chain(self._cert, self._key, password=_refuse_to_ask)
        except _PasswordError:
            raise ConfigError(
                [f"OUTRIDER_TLS_KEY={self._key}: the key asks for a password; write it without one (openssl pkey)"]
            ) from None
        except (OSError, ValueError) as error:
            raise ConfigError([self._fault(error)]) from None
        return context

    def _fault(self, error: Exception) -> str:
        """Say which file OpenSSL means: it only says what it did not like."""
        if isinstance(error, ssl.SSLError):
            if error.reason in ("KEY_VALUES_MISMATCH", "NO_CERTIFICATE_ASSIGNED", "KEY_TYPE_MISMATCH"):
                return f"OUTRIDER_TLS_KEY={self._key}: it is not the key of the certificate in {self._cert}"
            if not _holds_certificates(self._cert):
                return f"OUTRIDER_TLS_CERT={self._cert}: its certificate is damaged; write PEM, the server's own first"
            if error.reason not in (None, "PEM_LIB"):  # such as EE_KEY_TOO_SMALL
                return f"OUTRIDER_TLS_CERT={self._cert}: {str(error.reason).lower().replace('_', ' ')}"
            return f"OUTRIDER_TLS_KEY={self._key}: its key is damaged; write PEM"
        return f"OUTRIDER_TLS_CERT={self._cert}, OUTRIDER_TLS_KEY={self._key}: {error}"


class _PasswordError(Exception):
    """OpenSSL would ask on the terminal otherwise."""


def _refuse_to_ask() -> NoReturn:
    raise _PasswordError


def _unreadable(setting: str, path: str, mark: str) -> list[str]:
    """Give what is wrong with a file before OpenSSL sees it, empty if nothing is."""
    try:
        text = Path(path).read_text(encoding="latin-1")
    except OSError as error:
        return [f"{setting}={path}: can't be read ({error.strerror or error})"]
    return [] if mark in text else [f"{setting}={path}: there is no {mark.rstrip('-').lower()} in it; write PEM"]


def _holds_certificates(path: str) -> bool:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_verify_locations(path)
    except OSError:
        return False
    return True


def upstream_tls(ca: str, verify: bool, *, http2: bool) -> ssl.SSLContext:
    """Make the context for connections to ``https`` upstreams.

    Parameters
    ----------
    ca
        The path of the authorities in PEM; empty for the system's. A server's own certificate will do.
    verify
        Whether the upstream's certificate and name are checked.
    http2
        Which protocol the client speaks: it is the only one offered, because bytes are passed on as they are.

    Raises
    ------
    ConfigError
        The file of authorities can't be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.set_alpn_protocols(["h2"] if http2 else _HTTP1)
    if ca:
        faults = _unreadable("OUTRIDER_UPSTREAM_CA", ca, "CERTIFICATE-----")
        if faults:
            raise ConfigError(faults)
        try:
            context.load_verify_locations(ca)
        except OSError:
            raise ConfigError([f"OUTRIDER_UPSTREAM_CA={ca}: a certificate in it is damaged; write PEM"]) from None
    else:
        context.load_default_certs()
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def file_faults(cert: str, key: str, ca: str) -> list[str]:
    """Give what is wrong with the files, those that are set: to say it along with all other faults of the configuration."""
    faults: list[str] = []
    try:
        if cert and key:
            ListenerTls(cert, key)
    except ConfigError as error:
        faults += error.faults
    try:
        if ca:
            upstream_tls(ca, True, http2=False)
    except ConfigError as error:
        faults += error.faults
    return faults
