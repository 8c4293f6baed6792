"""Messages that tests fetch from and search in, and ways to make odd ones."""

from __future__ import annotations

from hypothesis import strategies as st

SIMPLE = (
    b"Date: Mon, 7 Feb 1994 21:52:25 -0800 (PST)\r\n"
    b"From: Fred Foobar <foobar@blurdybloop.example>\r\n"
    b"Subject: afternoon meeting\r\n"
    b"To: mooch@owatagu.example\r\n"
    b"Received: one\r\n"
    b"Received: two\r\n"
    b"\r\n"
    b"Hello Joe, shall we meet at 3:30?\r\n"
)

# The complex message of RFC 3501 section 6.4.5, in miniature.
NESTED = b"""\
From: a@b.example
Subject: nested
Content-Type: multipart/mixed; boundary="Outer 1"

preamble
--Outer 1

first
--Outer 1
Content-Type: application/octet-stream; Name="A;B.bin"
Content-Disposition: attachment; FileName="A;B.bin"
Content-Transfer-Encoding: BASE64

AAEC
--Outer 1
Content-Type: message/rfc822

Subject: inside
From: in@b.example
Content-Type: multipart/mixed; boundary=inner

--inner
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: quoted-printable

gr=C3=BC=C3=9Fe
--inner
Content-Type: application/octet-stream

x
--inner--
--Outer 1
Content-Type: multipart/mixed; boundary=Outer

--Outer
Content-Type: image/gif
Content-Language: en, de
Content-Location: http://b.example/x.gif
Content-ID: <gif@b.example>
Content-MD5: Q2hlY2s=

GIF
--Outer
Content-Type: message/rfc822

Subject: deepest

deep body
--Outer--
--Outer 1--
epilogue
""".replace(b"\n", b"\r\n")

_LINES = st.sampled_from(
    [
        b"--b", b"--b--", b"--c", b"--c--", b"", b"text", b"\xff\xfe", b"a\0b", b" folded",
        b"Content-Type: multipart/mixed; boundary=b", b"Content-Type: multipart/digest;boundary=c",
        b"Content-Type: multipart/x", b"Content-Type: message/rfc822", b"Content-Type: text/html",
        b"Content-Type: text/plain; charset=\"x", b"Content-Type: ;;", b"Content-Type: a/b; c",
        b"Content-Disposition: x; y=\xe9", b"Content-Language: ,a", b"From: \xfc <a@b>, g:;",
        b"From: ", b"Subject: a\"b\\c", b"Subject:", b"To: <", b"Content-Transfer-Encoding: ",
        b"Content-Transfer-Encoding: base64", b"Content-Transfer-Encoding: quoted-printable",
        b"Date: nonsense", b"Content-Type: text/plain; charset=\"utf-16\"", b"=?utf-8?q?x?=",
        b"Subject: =?utf-7?b?!!?= =?x?q?_=?=",
    ]
)  # fmt: skip

ODD = st.one_of(
    st.binary(max_size=200),
    st.builds(
        lambda lines, end: end.join(lines),
        st.lists(_LINES, max_size=30),
        st.sampled_from([b"\r\n", b"\n"]),
    ),
)
"""Bytes that look more or less like messages."""
