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
        team = {"match": "Team/", "server": f"{HOST}:{self.home.port}/none", "folders": ["Plans"]}
        known = {
            "bob": {"home": place, "password": "secret"},
            "carol": {"home": "here", "password": "secret", "mailboxes": [team]},
        }
        self.file.write_text(json.dumps(known))
        self.port = free_port()
        self.service = self.start_service()
        self.front = self.start_referrald(
            "",
            f"""
[[backend]]
type = "http"
url = "http://{HOST}:{self.port}/home"
password_url = "http://{HOST}:{self.port}/password"
mailboxes_url = "http://{HOST}:{self.port}/mailboxes"
targets_url = "http://{HOST}:{self.port}/targets"
token = "wonderland"

[serve]
store = "memory"

[directory]
cache_found = "0s"
stale = "0s"

[referral]
login = "refer"
mailboxes = "say"
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

    def test_mailboxes_are_where_the_service_says(self) -> None:
        with imaplib.IMAP4(HOST, self.front.port, timeout=PATIENCE) as client:
            client.login("carol", "secret")
            status, (said,) = client.select("Team/Plans")
            self.assertEqual(status, "NO")
            place = f"imap://carol;AUTH=*@{HOST}:{self.home.port}/Team/Plans"
            self.assertIn(place.encode(), said)
            self.assertEqual(client.select("INBOX")[0], "OK")
