from __future__ import annotations

from twisted.cred.credentials import IUsernamePassword
from zope.interface.verify import verifyObject

from referrald.auth.credentials import BearerToken, ClientCertificate, Password
from referrald.interfaces import IBearerToken, IClientCertificate
from tests.auth.support import AuthTestCase
from tests.proves import proves


class CredentialsTests(AuthTestCase):
    def test_they_are_what_they_say(self) -> None:
        verifyObject(IUsernamePassword, Password(b"joe", b"x"))
        verifyObject(IBearerToken, BearerToken(token=b"x"))
        verifyObject(IClientCertificate, ClientCertificate())

    def test_a_password_is_compared_with_bytes_and_text(self) -> None:
        password = Password(b"joe", "pä".encode())
        self.assertTrue(password.checkPassword("pä"))
        self.assertTrue(password.checkPassword("pä".encode()))
        self.assertFalse(password.checkPassword("pa"))

    def test_a_certificate_cannot_be_changed(self) -> None:
        certificate = ClientCertificate(subject={"CN": "joe"}, emails=["joe@example.com"])
        self.assertEqual(certificate.emails, ("joe@example.com",))
        with self.assertRaises(TypeError):
            certificate.subject["CN"] = "ann"  # type: ignore[index]

    @proves("S4")
    def test_no_repr_shows_a_secret(self) -> None:
        shown = (Password(b"joe", b"S3cret"), BearerToken(username="joe", token=b"S3cret"))
        self.assert_hidden(b"S3cret", *shown)
        self.assertTrue(all("joe" in repr(each) for each in shown))
