"""Turns a source into an image: here, or in a process of its own as this module's ``main``.

A large source would keep the reactor from its work for seconds, even in a thread. This module and
those below it import nothing of Twisted's reactor, so that the process starts quickly.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from typing import Any, BinaryIO

import attrs

import referrald
from referrald.backends.changes import changes
from referrald.backends.draft import Draft, Large, Outcome
from referrald.backends.image import Image
from referrald.backends.passwdformat import compile_passwd
from referrald.backends.tableformat import compile_table
from referrald.model import Problem

COMPILERS = {"table": compile_table, "passwd-file": compile_passwd}
SMALL = 8 * 1024
NICE = 10
BUFFER = 1 << 20


class BuildFailed(Exception):
    """An image could not be made, though the source may be right."""


@attrs.frozen(kw_only=True)
class Job:
    """What to build: the kind of source, and the options that say how to read it."""

    kind: str
    options: dict[str, Any]

    @property
    def key(self) -> str:
        """The same text for the same job."""
        return json.dumps([self.kind, self.options], sort_keys=True)


@attrs.frozen(kw_only=True)
class Built:
    """What came of it; no image when there are problems or the source changed meanwhile."""

    outcome: Outcome
    image: Image | None = attrs.field(repr=False)


def build(job: Job, old: Image | None = None) -> Built:
    """Build here when the source is small, else in another process; raises `BuildFailed`."""
    try:
        return build_here(job, old, SMALL)
    except Large:
        return build_apart(job, old)


def build_here(job: Job, old: Image | None = None, limit: int | None = None) -> Built:
    """Build in this process; raises `Large` when that is more than ``limit`` bytes."""
    try:
        file = _new_file()
        try:
            return _built(_compile(job, file, old, limit), file)
        except Large:
            file.close()
            raise
    except OSError as error:
        raise BuildFailed(f"cannot write an image: {error.strerror}") from error


def build_apart(
    job: Job, old: Image | None = None, started: Callable[[subprocess.Popen[bytes]], object] = id
) -> Built:
    """Build in another process and wait for it; here when none can be started.

    started: told of the process, for whoever has to end it early. Raises `BuildFailed`.
    """
    try:
        file = _new_file()
    except OSError as error:
        raise BuildFailed(f"cannot write an image: {error.strerror}") from error
    try:
        process = _start([file] if old is None else [file, old.file])
    except OSError:
        file.close()
        return build_here(job, old)
    started(process)
    request = {
        "kind": job.kind,
        "options": job.options,
        "image": file.fileno(),
        "old": None if old is None else old.file.fileno(),
    }
    answer, complaint = process.communicate(json.dumps(request).encode("ascii"))
    if process.returncode:
        file.close()
        last = complaint.decode("utf-8", "replace").strip().rpartition("\n")[2]
        raise BuildFailed(f"the process ended with {process.returncode}: {last[:200]}")
    return _built(_outcome(json.loads(answer)), file)


def _new_file() -> BinaryIO:
    """Open a file that has no name, so that nothing is left of it whatever happens."""
    return tempfile.TemporaryFile("w+b", buffering=BUFFER, prefix="referrald-")  # type: ignore[return-value]


def _compile(job: Job, file: BinaryIO, old: Image | None, limit: int | None = None) -> Outcome:
    draft = Draft(file, limit)
    COMPILERS[job.kind](job.options, draft)
    outcome = draft.outcome()
    if old is None or outcome.problems or not outcome.steady:
        return outcome
    return attrs.evolve(outcome, changed=changes(old, Image(file)))


def _built(outcome: Outcome, file: BinaryIO) -> Built:
    if outcome.problems or not outcome.steady:
        file.close()
        return Built(outcome=outcome, image=None)
    return Built(outcome=outcome, image=Image(file))


def _start(files: list[BinaryIO]) -> subprocess.Popen[bytes]:
    """Start the process: it inherits the files, and finds this package where we found it."""
    root = os.path.dirname(os.path.dirname(os.path.abspath(referrald.__file__)))
    path = [root, *(os.path.abspath(entry) for entry in sys.path if entry)]
    return subprocess.Popen(
        [sys.executable, "-m", __name__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        pass_fds=[file.fileno() for file in files],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path)},
    )


def _outcome(answer: dict[str, Any]) -> Outcome:
    changed = answer["changed"]
    return Outcome(
        problems=tuple(Problem(**problem) for problem in answer["problems"]),
        files={path: stamp and tuple(stamp) for path, stamp in answer["files"].items()},
        steady=answer["steady"],
        changed=None if changed is None else tuple(changed),
    )


def main() -> None:
    """Do the job that standard input describes; standard output says what came of it."""
    os.nice(NICE)
    request = json.load(sys.stdin.buffer)
    job = Job(kind=request["kind"], options=request["options"])
    old = None if request["old"] is None else Image(os.fdopen(request["old"], "rb"))
    with os.fdopen(request["image"], "w+b", buffering=BUFFER) as file:
        outcome = _compile(job, file, old)
    json.dump(attrs.asdict(outcome), sys.stdout)


if __name__ == "__main__":
    main()
