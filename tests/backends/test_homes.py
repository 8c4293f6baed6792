"""Homes as bytes."""

from __future__ import annotations

import attrs
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from referrald.backends.homes import decode, encode
from referrald.model import Home, Security, Server

SERVERS = st.builds(
    Server,
    host=st.sampled_from(["a.example", "192.0.2.1"]),
    port=st.integers(1, 65535),
    security=st.sampled_from(Security),
    weight=st.integers(1, 3),
)
HOMES = st.builds(
    Home,
    servers=st.lists(SERVERS, max_size=3).map(tuple),
    auth=st.sampled_from(["*", "PLAIN"]),
    public_here=st.booleans(),
    held=st.booleans(),
    closed=st.none() | st.text(max_size=20),
    ttl=st.none() | st.floats(0, 1e6),
    how=st.sampled_from([None, "refer", "relay", "auto"]),
    spread=st.booleans(),
)


class Homes(SynchronousTestCase):
    @given(HOMES)
    def test_what_is_written_is_read_again(self, home: Home) -> None:
        self.assertEqual(decode(encode(home)), home)

    @given(HOMES, HOMES)
    def test_homes_are_written_alike_when_they_are_equal(self, one: Home, other: Home) -> None:
        self.assertEqual(encode(one) == encode(other), one == other)

    def test_the_name_there_and_the_source_are_kept_elsewhere(self) -> None:
        home = Home(user="bob", source="table")
        self.assertEqual(decode(encode(home)), attrs.evolve(home, user=None, source=""))
