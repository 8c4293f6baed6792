"""Search filters with variables."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from ldaptor.protocols import pureber, pureldap
from twisted.trial.unittest import SynchronousTestCase

from referrald.backends.ldap.filters import Filter
from referrald.backends.servers import Wrong
from referrald.testing import ODD_NAMES

NAMES = st.text(st.characters(exclude_categories=["Cs"]))


def decoded(wire: bytes) -> pureldap.LDAPFilter_and:
    """Read a filter as a server does."""
    context = pureldap.LDAPBERDecoderContext_Filter(fallback=pureber.BERDecoderContext())
    part, used = pureber.berDecodeObject(context, wire)
    assert used == len(wire)
    return part


class Filters(SynchronousTestCase):
    def test_variables_are_filled_in_wherever_a_value_stands(self) -> None:
        text = "(&(objectClass=x)(|(mail=%u)(cn=a*%n*b))(!(dc=%d))(uid:=%%)(sn=*))"
        filled = Filter(text).for_user("ann@example.org").toWire()
        for value in (b"ann@example.org", b"ann", b"example.org", b"%"):
            self.assertIn(bytes((len(value),)) + value, filled)
        self.assertNotIn(b"%u", filled)

    @given(NAMES)
    def test_a_name_stays_one_value_whatever_stands_in_it(self, user: str) -> None:
        wire = Filter("(&(objectClass=person)(uid=%u))").for_user(user).toWire()
        kind, name = list(decoded(wire))
        self.assertEqual(kind.assertionValue.value, b"person")
        self.assertEqual(name.attributeDesc.value, b"uid")
        self.assertEqual(name.assertionValue.value, user.encode())

    def test_odd_names_do_not_change_the_next_user(self) -> None:
        made = Filter("(uid=%u)")
        for user in ODD_NAMES:
            if user != "\ud800":
                made.for_user(user)
        self.assertEqual(made.for_user("ann").toWire(), Filter("(uid=ann)").for_user("").toWire())
        with self.assertRaises(UnicodeError):
            made.for_user("\ud800")

    def test_what_is_no_filter_is_refused(self) -> None:
        for text in ("", "uid=%u", "(uid=%u", "(&)(uid=x)", "(uid=%x)", "((uid=x))"):
            with self.assertRaises(Wrong, msg=text):
                Filter(text)

    def test_an_entry_must_have_the_very_name(self) -> None:
        made = Filter("(|(mail=%u)(uid=%n))")
        self.assertEqual(made.attributes, ["mail", "uid"])
        entry = {"mail": ["Ann@example.org"], "uid": []}
        self.assertTrue(made.names("ann@EXAMPLE.org", entry.__getitem__))
        for user in ("ann@example.org ", "ann\u200b@example.org", "\uff41nn@example.org"):
            self.assertFalse(made.names(user, entry.__getitem__))
        self.assertTrue(Filter("(mail=%n@*)").names("ann", entry.__getitem__))

    def test_it_knows_whether_it_depends_on_the_user(self) -> None:
        self.assertTrue(Filter("(&(a=b)(!(cn=*%u)))").depends)
        self.assertFalse(Filter("(a=b)").depends)
