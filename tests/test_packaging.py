"""The built wheel: a twistd plugin is easily lost on the way into it."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from configparser import ConfigParser
from pathlib import Path

from twisted.trial.unittest import TestCase

ROOT = Path(__file__).parents[1]


class Wheel(TestCase):
    """One wheel is built for all the tests."""

    wheel: Path | None = None

    def setUp(self) -> None:
        if Wheel.wheel is None:
            target = Path(self.mktemp()).absolute()
            self.call(
                sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(target), "."
            )
            (Wheel.wheel,) = target.glob("referrald-*.whl")
        assert Wheel.wheel is not None
        with zipfile.ZipFile(Wheel.wheel) as archive:
            self.names = set(archive.namelist())

    def call(self, *command: str, cwd: Path = ROOT) -> str:
        """Run a command without any Python path from here; give what it prints."""
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        done = subprocess.run(
            command,
            cwd=cwd,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        self.assertEqual(done.returncode, 0, done.stdout)
        return done.stdout

    def test_it_holds_the_plugin_and_leaves_twisted_alone(self) -> None:
        self.assertIn("twisted/plugins/referrald_plugin.py", self.names)
        inside = {name for name in self.names if name.startswith("twisted/")}
        self.assertEqual(inside, {"twisted/plugins/referrald_plugin.py"})
        self.assertIn("referrald/py.typed", self.names)

    def test_it_holds_every_module_of_the_checkout(self) -> None:
        modules = {str(path.relative_to(ROOT)) for path in ROOT.glob("referrald/**/*.py")}
        self.assertEqual(modules - self.names, set())

    def test_every_package_is_listed(self) -> None:
        parser = ConfigParser()
        parser.read(ROOT / "setup.cfg")
        listed = set(parser["options"]["packages"].split())
        found = {
            ".".join(path.parent.relative_to(ROOT).parts)
            for path in ROOT.glob("referrald/**/__init__.py")
        }
        self.assertEqual(listed, found | {"twisted.plugins"})

    def test_twistd_knows_it_from_any_folder(self) -> None:
        folder = Path(self.mktemp()).absolute()
        venv.create(folder, with_pip=False, symlinks=True)
        python = folder / "bin" / "python"
        # What it depends on comes from here; itself only from the wheel.
        pip = (sys.executable, "-m", "pip", "--python", str(python), "install", "-q", "--no-deps")
        self.call(*pip, str(Wheel.wheel))
        print_site = "import sysconfig; print(sysconfig.get_path('purelib'))"
        site = Path(self.call(str(python), "-c", print_site).strip())
        (site / "rest.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
        help_ = self.call(str(python), "-m", "twisted", "--help", cwd=folder)
        self.assertIn("referrald", help_)
        twistd = [str(python), "-c", "from twisted.scripts.twistd import run; run()"]
        own = self.call(*twistd, "referrald", "--help", cwd=folder)
        self.assertIn("--demo", own)
        where = self.call(
            str(python), "-c", "import referrald; print(referrald.__file__)", cwd=folder
        )
        self.assertTrue(where.startswith(str(folder)), where)
        self.assertIn("check", self.call(str(folder / "bin" / "referralctl"), "--help", cwd=folder))
