"""The http backend with the service of the docs, a real home and imaplib."""

from __future__ import annotations

import imaplib
import json
import subprocess
import sys
from pathlib import Path

from tests.interop.support import PATIENCE, ROOT, InteropCase, free_port

HOST = "127.0.0.1"


class Http(InteropCase):
    def setUp(self) -> None:
        self.home = self.start_home([("ann", "other"), ("robert", "secret")])
        self.file = self.folder() / "homes.json"
        place = {"server": f"{HOST}:{self.home.port}", "user": "robert"}
        self.file.write_text(json.dumps({"bob": {"home": place, "password": "secret"}}))
        self.port = free_port()
        self.service = self.start_service()
        self.front = self.start_referrald(
            "",
            f"""
[[backend]]
type = "http"
url = "http://{HOST}:{self.port}/home"
password_url = "http://{HOST}:{self.port}/password"
token = "wonderland"

[directory]
cache_found = "0s"
stale = "0s"

[referral]
login = "refer"
allow_clear = ["{HOST}"]
""",
        )

    def start_service(self) -> subprocess.Popen[bytes]:
        script = Path(ROOT) / "docs" / "examples" / "home_service.py"
        command = [sys.executable, str(script), str(self.port), str(self.file), "wonderland"]
        with (self.file.parent / "log").open("ab") as out:
            return self.run_server(command, out, self.port, greets=False)

    def refusal(self, user: str, password: str = "secret") -> str:
        with imaplib.IMAP4(HOST, self.front.port, timeout=PATIENCE) as client:
            with self.assertRaises(imaplib.IMAP4.error) as caught:
                client.login(user, password)
            return str(caught.exception)

    def test_users_are_referred_as_the_service_says_and_it_may_be_restarted(self) -> None:
        referral = f"[REFERRAL imap://robert;AUTH=*@{HOST}:{self.home.port}/]"
        self.assertIn(referral, self.refusal("bob"))
        self.assertIn("AUTHENTICATIONFAILED", self.refusal("bob", "wrong"))
        self.assertIn("AUTHENTICATIONFAILED", self.refusal("ann"))
        self.service.terminate()
        self.service.wait(PATIENCE)
        self.assertIn("UNAVAILABLE", self.refusal("bob", "other"))
        self.service = self.start_service()
        self.assertIn(referral, self.refusal("bob"))
        self.assertNotIn("wonderland", self.front.log)
