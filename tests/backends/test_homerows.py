from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from referrald.backends.homerows import read_row, read_rows, write_row
from referrald.backends.servers import Wrong
from referrald.model import Home, Security, Server
from referrald.testing.backends import HOMES, RICH_HOMES

TLS = Server(host="a", port=993, security=Security.TLS)


class HomesAsRows(SynchronousTestCase):
    def wrong(self, **row: Any) -> str:
        with self.assertRaises(Wrong) as caught:
            read_row(row)
        return caught.exception.wrong

    def test_every_home_comes_back_as_it_was(self) -> None:
        for home in (*HOMES.values(), *RICH_HOMES.values(), Home(servers=(), held=True)):
            self.assertEqual(read_row(write_row(home)), home)

    def test_what_has_its_default_is_not_written(self) -> None:
        row = write_row(Home(servers=(Server(host="a"),)))
        self.assertEqual({key for key, value in row.items() if value is not None}, {"servers"})

    def test_a_row_of_another_programs_table_is_read(self) -> None:
        for row, server in (
            ({"host": "a"}, Server(host="a")),
            ({"host": "a", "port": None, "tls": 1}, TLS),
            ({"host": "a", "port": "143", "tls": "no"}, Server(host="a")),
            ({"host": "a", "port": 993}, TLS),
            ({"host": "a", "port": 993, "tls": "starttls"}, Server(host="a", port=993)),
            ({"host": "a", "security": "NONE"}, Server(host="a", security=Security.CLEAR)),
            ({"host": "a", "weight": 7}, Server(host="a", weight=7)),
        ):  # fmt: skip
            self.assertEqual(read_row(row).servers, (server,), row)

    def test_the_name_there_may_be_called_as_in_other_programs(self) -> None:
        for column in ("name", "user", "destuser"):
            self.assertEqual(read_row({"host": "a", column: "robert"}).user, "robert")

    def test_several_rows_are_several_servers(self) -> None:
        home = read_rows([{"host": "b", "held": True}, {"host": "a", "port": 1143}])
        self.assertEqual(home.servers, (Server(host="b"), Server(host="a", port=1143)))
        self.assertTrue(home.held)

    def test_a_host_in_two_rows_is_wrong(self) -> None:
        with self.assertRaises(Wrong):
            read_rows([{"host": "a"}, {"host": "a"}])

    def test_the_security_of_those_who_do_not_say_is_given(self) -> None:
        home = read_row({"host": "a"}, security=Security.TLS)
        self.assertEqual(home.servers, (TLS,))

    def test_a_row_without_a_host_is_wrong_or_here(self) -> None:
        for row in ({}, {"host": None}, {"host": ""}):
            self.assertEqual(self.wrong(**row), "has no host")
            self.assertEqual(read_row(row, nowhere_is_here=True), Home())

    def test_who_is_closed_needs_no_host(self) -> None:
        self.assertEqual(read_row({"host": None, "closed": "Gone."}), Home(closed="Gone."))

    def test_a_host_that_is_here_is_said_so(self) -> None:
        self.assertEqual(read_row({"host": "here", "name": "robert"}), Home())

    def test_yes_and_no_are_read_as_databases_have_them(self) -> None:
        for value in (1, "1", True, "t", "TRUE", "Y", "yes", "on"):
            self.assertTrue(read_row({"host": "a", "held": value}).held, value)
        for value in (0, "0", False, "f", "false", "N", "no", "off", None, ""):
            self.assertFalse(read_row({"host": "a", "held": value}).held, value)

    def test_what_cannot_be_is_wrong(self) -> None:
        for row in (
            {"host": "::1"}, {"host": "[2001:db8::1]"}, {"host": "a", "port": 0},
            {"host": "a", "port": -1}, {"host": "a", "port": 70000}, {"host": "a", "port": 143.5},
            {"host": "a b"}, {"host": "a\n"}, {"host": 7}, {"host": b"a"}, {"host": "x" * 300},
            {"host": "a", "security": "ssl3"}, {"host": "a", "tls": "maybe"},
            {"host": "a", "weight": 0}, {"host": "a", "held": "perhaps"},
            {"host": "a", "ttl": "soon"}, {"host": "a", "ttl": -1}, {"host": "a", "ttl": "nan"},
            {"host": "a", "login": "both"}, {"host": "a", "auth": "no such"},
            {"host": "a", "name": "x\0"}, {"host": "a", "name": "x" * 256},
            {"host": "a", "closed": "x\r\n* BYE"}, {"servers": "a,a"}, {"servers": "::1"},
        ):  # fmt: skip
            self.assertTrue(self.wrong(**row), row)
