"""TLS to home servers, as a client: whom we believe, and what we show."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL, crypto

from referrald.client.transport import Trust

CIPHERS = (
    b"ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:ECDHE+AES:DHE+AES:RSA+AESGCM:RSA+AES:!aNULL:!MD5:!DSS"
)
"""What may be agreed on with a server that has no TLS 1.3, the best first."""


class HomeTls:
    """The context of all connections to home servers, made when the first one needs it."""

    def __init__(self, trust: Trust) -> None:
        self._trust = trust
        self._context: SSL.Context | None = None

    @property
    def context(self) -> SSL.Context:
        """Give the context. It believes whom `Trust` believes; names are for others to check."""
        if self._context is None:
            self._context = _make(self._trust)
        return self._context


def _make(trust: Trust) -> SSL.Context:
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION)
    # An idle connection then holds no record buffers, and nothing is kept to be resumed.
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    # OpenSSL keeps the keys of the handshake as long as the connection lives. Those that it makes
    # for more than one group, ML-KEM among them, are 13 KiB; every server knows this group (RFC
    # 8446 section 9.1).
    context.set_tmp_ecdh(ec.SECP256R1())
    context.set_verify(SSL.VERIFY_PEER)
    _believe(context, trust)
    context.set_cipher_list(CIPHERS)
    return context


def _believe(context: SSL.Context, trust: Trust) -> None:
    if not trust.certificates:
        context.set_default_verify_paths()
    store = context.get_cert_store()
    for text in trust.certificates:
        if store is not None:
            store.add_cert(_certificate(text))
    if trust.own:
        first, *behind = map(_certificate, trust.own)
        context.use_certificate(first)
        context.use_privatekey(
            crypto.load_privatekey(crypto.FILETYPE_PEM, trust.key.encode("ascii"))
        )
        for each in behind:
            context.add_extra_chain_cert(each)


def _certificate(text: str) -> crypto.X509:
    return crypto.load_certificate(crypto.FILETYPE_PEM, text.encode("ascii"))
