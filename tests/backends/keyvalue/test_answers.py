"""Servers that answer with what nobody understands, and what they are asked."""

from __future__ import annotations

from typing import Any

from treq.testing import StubTreq
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource

from referrald.backends.keyvalue.etcdwatch import Watch
from referrald.backends.keyvalue.factory import consul, etcd
from referrald.errors import NotPossible, ReferraldError, Unavailable
from referrald.model import Login
from tests.backends.keyvalue.support import ME, ON_A
from tests.backends.support import filled

NONSENSE = (
    b"", b"[]", b"{}", b"null", b"7", b'"x"', b"{", b"\xff", b"[" * 60_000, b"[7]", b"[null]",
    b'[{"Key": 1}]', b'[{"Key": "referrald/homes/ann"}]', b'{"kvs": 7}', b'{"kvs": [7]}',
    b'{"kvs": [{}]}', b'{"kvs": [{"key": "?", "mod_revision": "x"}]}', b'{"header": 7}',
    b'[{"Key": "referrald/homes/ann", "Value": "?", "ModifyIndex": "x"}]',
    b'{"kvs": [{"key": "YQ==", "mod_revision": "1", "value": 7}]}',
    b'{"succeeded": true}', b'{"Results": [{}]}', b'{"Results": 7, "Errors": 7}',
)  # fmt: skip


class Fixed(Resource):
    """Gives the same to everybody, and keeps what was asked."""

    isLeaf = True

    def __init__(self, body: bytes, code: int) -> None:
        super().__init__()
        self.body, self.code = body, code
        self.asked: list[Any] = []

    def render(self, request: Any) -> bytes:
        self.asked.append((request.uri, request.content.read(), request.requestHeaders))
        request.setResponseCode(self.code)
        return self.body


class Answers(SynchronousTestCase):
    def make(self, factory: Any, body: bytes, code: int = 200) -> Any:
        self.resource = Fixed(body, code)
        options = filled(factory, servers=["http://127.0.0.1:1"])
        if factory is consul:
            options["token"] = "hush"
        client: Any = StubTreq(self.resource)
        backend = factory.make(options, client, lambda: succeed(None), Clock())
        self.successResultOf(backend._pool.start())
        return backend

    def outcome(self, work: Any) -> Any:
        """Give what something ends in at once: a result or an error."""
        asked = Deferred.fromCoroutine(work)
        found: list[Any] = []
        asked.addBoth(found.append)
        self.assertTrue(found, "it has not ended")
        return getattr(found[0], "value", found[0])

    def test_nonsense_is_never_a_home_nor_a_change(self) -> None:
        for factory in (etcd, consul):
            for body in NONSENSE:
                for code in (200, 201, 302, 400, 409, 500):
                    backend = self.make(factory, body, code)
                    home = self.outcome(backend.home(Login(user="ann")))
                    self.assertTrue(home is None or isinstance(home, Unavailable), (body, home))
                    if code != 200:
                        self.assertIsInstance(home, Unavailable, (factory.name, body, code))
                    change = self.outcome(backend.set_home({"ann": ON_A}, ME))
                    self.assertIsInstance(change, ReferraldError, (factory.name, body, code))
                    for work in (backend.export(), backend.targets(), backend.history()):
                        found = self.outcome(work)
                        self.assertTrue(
                            isinstance(found, Unavailable) or not found, (body, code, found)
                        )

    def test_an_answer_that_is_too_much_is_no_answer(self) -> None:
        self.assertIsInstance(
            self.outcome(self.make(consul, b"too large", 413).export()), NotPossible
        )

    def test_a_token_is_in_a_header_and_nowhere_else(self) -> None:
        backend = self.make(consul, b"[]")
        self.outcome(backend.home(Login(user="ann")))
        self.outcome(backend.set_home({"ann": ON_A}, ME))
        for uri, body, headers in self.resource.asked:
            self.assertNotIn(b"hush", uri + body)
            self.assertEqual(headers.getRawHeaders(b"x-consul-token"), [b"hush"])

    def test_a_key_in_a_path_is_encoded_twice(self) -> None:
        backend = self.make(consul, b"", 404)
        self.outcome(backend.home(Login(user="../a?b#c d")))
        ((uri, _, _),) = self.resource.asked
        self.assertEqual(uri, b"/v1/kv/referrald/homes/..%252Fa%253Fb%2523c%2520d")


class Watches(SynchronousTestCase):
    def setUp(self) -> None:
        self.heard: list[Any] = []
        self.clock = Clock()
        self.watch = Watch(self.heard.extend, lambda: None, 7, self.clock.seconds)

    def test_events_come_in_any_pieces(self) -> None:
        line = (
            b'{"result": {"header": {"revision": "12"}, "events": ['
            b'{"kv": {"key": "YQ==", "mod_revision": "9"}},'
            b'{"type": "DELETE", "kv": {"key": "Yg==", "mod_revision": "10"}}]}}\n'
        )
        for number in range(len(line)):
            self.watch.take(line[number : number + 1])
        self.assertEqual(self.heard, [b"a", b"b"])
        self.assertEqual(self.watch.revision, 10)

    def test_what_is_no_event_ends_it(self) -> None:
        for line in (
            b"{", b"7", b"[]", b"{}", b'{"result": 7}', b'{"error": {"message": "no leader"}}',
            b'{"error": "no"}', b'{"result": {"events": [{}]}}', b'{"result": {"created": true}}',
            b'{"result": {"canceled": true, "cancel_reason": "why"}}', b"\xff", b"[" * 60_000,
        ):  # fmt: skip
            with self.assertRaises(Unavailable):
                self.watch.take(line + b"\n")
            self.watch._rest.clear()
        self.assertFalse(self.watch.compacted)
        with self.assertRaises(Unavailable):
            self.watch.take(b'{"result": {"canceled": true, "compact_revision": "9"}}\n')
        self.assertTrue(self.watch.compacted)

    def test_a_complaint_without_an_end_of_line_is_one(self) -> None:
        self.watch.take(b'{"error": "etcdserver: permission denied", "code": 7}')
        error = self.assertRaises(Unavailable, self.watch.end)
        self.assertIn("permission denied", str(error))

    def test_where_nothing_happens_the_revision_goes_on_only_after_a_while(self) -> None:
        self.watch.settle()
        self.watch.take(b'{"result": {"created": true, "header": {"revision": "20"}}}\n')
        self.clock.advance(9)
        self.watch.settle()
        self.assertEqual(self.watch.revision, 7)
        self.clock.advance(1)
        self.watch.settle()
        self.assertEqual(self.watch.revision, 20)
