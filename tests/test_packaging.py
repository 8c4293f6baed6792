"""The built package: a twistd plugin is easily lost on the way into it.

Everything else tests the checkout, which ``python -m pytest`` puts first on Python's path; here it
is the wheel that is built from it, in a virtual environment of its own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from configparser import ConfigParser
from pathlib import Path
from typing import ClassVar

from twisted.trial.unittest import TestCase

ROOT = Path(__file__).parents[1]
PLUGIN = "twisted/plugins/referrald_plugin.py"
SOURCES = ("setup.cfg", "pyproject.toml", "README.md", "LICENSE", "referrald", "twisted")
LEFTOVERS = ("__pycache__", "dropin.cache", "*.egg-info")


def call(*command: str, cwd: Path) -> str:
    """Run a command without any Python path from here; give what it prints, both streams."""
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
    if done.returncode:
        raise AssertionError(f"{' '.join(command)}: exit code {done.returncode}\n{done.stdout}")
    return done.stdout


def shell_commands(page: str, heading: str) -> list[str]:
    """Give the commands that a section of a page has its reader type."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    section = text.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    return [line.strip()[2:] for line in section.splitlines() if line.strip().startswith("$ ")]


def build_wheel(folder: Path) -> Path:
    """Build the source distribution, and the wheel from that.

    From a copy: a ``build`` folder that an earlier installation left in the checkout would bring
    modules back that are long gone.
    """
    source = folder / "source"
    source.mkdir(parents=True)
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns(*LEFTOVERS))
        else:
            shutil.copy(ROOT / name, source / name)
    call(sys.executable, "-m", "build", "--no-isolation", str(source), cwd=folder)
    (wheel,) = (source / "dist").glob("referrald-*.whl")
    return wheel


def make_environment(folder: Path) -> Path:
    """Make a virtual environment that has what this one has, except referrald; give its Python.

    Twisted is laid out file by file, because its plugins folder is where ours goes.
    """
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    question = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site = Path(call(str(python), "-c", question, cwd=folder).strip())
    for here in {Path(sysconfig.get_path("purelib")), Path(sysconfig.get_path("platlib"))}:
        for entry in here.iterdir():
            if entry.name == "twisted":
                ignored = shutil.ignore_patterns("referrald_plugin.py", "test", *LEFTOVERS)
                shutil.copytree(entry, site / "twisted", copy_function=os.symlink, ignore=ignored)
            elif "referrald" not in entry.name and not (site / entry.name).exists():
                (site / entry.name).symlink_to(entry)
    return python


class Wheel(TestCase):
    """One wheel is built for all the tests."""

    wheel: ClassVar[Path | None] = None

    def setUp(self) -> None:
        if Wheel.wheel is None:
            Wheel.wheel = build_wheel(Path(self.mktemp()).absolute())
        with zipfile.ZipFile(Wheel.wheel) as archive:
            self.names = set(archive.namelist())

    def test_it_holds_the_plugin_and_leaves_twisted_alone(self) -> None:
        self.assertEqual({name for name in self.names if name.startswith("twisted/")}, {PLUGIN})

    def test_it_holds_every_module_of_the_checkout_and_no_other(self) -> None:
        modules = {str(path.relative_to(ROOT)) for path in ROOT.glob("referrald/**/*.py")}
        own = {name for name in self.names if name.startswith("referrald/")}
        self.assertEqual(own, modules | {"referrald/py.typed"})

    def test_every_package_is_listed(self) -> None:
        parser = ConfigParser()
        parser.read(ROOT / "setup.cfg")
        listed = set(parser["options"]["packages"].split())
        found = {
            ".".join(path.parent.relative_to(ROOT).parts)
            for path in ROOT.glob("referrald/**/__init__.py")
        }
        self.assertEqual(listed, found | {"twisted.plugins"})

    def test_installed_it_runs_from_any_folder(self) -> None:
        folder = Path(self.mktemp()).absolute()
        python = str(make_environment(folder))
        pip = (sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-deps")
        call(*pip, str(Wheel.wheel), cwd=folder)
        twistd = (python, "-c", "from twisted.scripts.twistd import run; run()")
        self.assertIn("referrald", call(*twistd, "--help", cwd=folder))
        self.assertIn("--demo", call(*twistd, "referrald", "--help", cwd=folder))
        self.assertIn("referrald", call(python, "-m", "twisted", "--help", cwd=folder))
        self.assertIn("check", call(str(folder / "bin/referralctl"), "--help", cwd=folder))
        show = "import referrald, twisted.plugins.referrald_plugin as p; print(referrald, p)"
        self.assertEqual(call(python, "-c", show, cwd=folder).count(str(folder)), 2)

    def test_the_how_to_for_backends_ends_in_a_green_suite(self) -> None:
        home = Path(self.mktemp()).absolute()
        folder = home / "my_backend"
        commands = shell_commands("howto/write-a-backend.md", "From nothing to a green suite")
        self.assertEqual(commands[0], "mkdir my_backend && cd my_backend")
        folder.mkdir(parents=True)
        python = str(make_environment(folder / "venv"))
        pip = f"{sys.executable} -m pip --python {python} install -q --no-deps --no-build-isolation"
        said = ""
        self.assertEqual(commands[1], "python3 -m venv venv")
        self.assertEqual(commands[-1].split()[:2], ["venv/bin/twistd", "-n"])
        for command in commands[2:-1]:
            # No registry is asked, and what is a checkout on the page is the wheel here.
            line = command.replace("venv/bin/pip install", pip)
            line = line.replace(f"{pip} ~/referrald", f"{pip} {Wheel.wheel}")
            said += call("sh", "-ec", line.replace("~/referrald", str(ROOT)), cwd=folder)
        self.assertRegex(said, r"\nPASSED \(skips=\d+, successes=\d\d\)")
        self.assertIn("no problems", said)
        self.assertIn("imap://nina;AUTH=*@imap2.example.org/", said)
