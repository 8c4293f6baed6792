from __future__ import annotations

from typing import Any, Literal

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.error import UnauthorizedLogin
from zope.interface.verify import verifyObject

from referrald.auth.certificates import CertificateChecker
from referrald.auth.credentials import ClientCertificate
from tests.auth.support import AuthTestCase

FULL = ClientCertificate(
    subject={"CN": "Joe", "UID": "joe", "emailAddress": "old@example.com"},
    emails=["joe@example.com"],
)


class CertificateCheckerTests(AuthTestCase):
    def user(self, field: Literal["CN", "email", "UID"], certificate: ClientCertificate) -> Any:
        return self.result(CertificateChecker(field).requestAvatarId(certificate))

    def test_it_is_a_checker(self) -> None:
        verifyObject(ICredentialsChecker, CertificateChecker())

    def test_the_name_is_in_the_field_that_was_asked_for(self) -> None:
        self.assertEqual(self.user("CN", FULL), b"Joe")
        self.assertEqual(self.user("UID", FULL), b"joe")
        self.assertEqual(self.user("email", FULL), b"joe@example.com")

    def test_the_address_of_the_subject_counts_when_there_is_no_other(self) -> None:
        certificate = ClientCertificate(subject={"emailAddress": "old@example.com"})
        self.assertEqual(self.user("email", certificate), b"old@example.com")

    def test_a_certificate_that_names_nobody_or_several_is_refused(self) -> None:
        several = ClientCertificate(
            subject={"emailAddress": "c@example.com"}, emails=["a@example.com", "b@example.com"]
        )
        for field, certificate in (("CN", ClientCertificate()), ("email", several)):
            checker = CertificateChecker(field)  # type: ignore[arg-type]
            self.failure(checker.requestAvatarId(certificate), UnauthorizedLogin)
