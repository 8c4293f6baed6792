"""Mail for the benchmark of stores: a Maildir of made-up messages, always the same ones."""

from __future__ import annotations

import os
import random
from email.utils import formatdate
from pathlib import Path

WORDS = (
    "alder", "birch", "cedar", "dogwood", "elm", "fir", "ginkgo", "hazel", "ivy", "juniper",
    "katsura", "larch", "maple", "nutmeg", "oak", "pine", "quince", "rowan", "spruce", "teak",
    "ulmus", "viburnum", "willow", "yew", "zelkova", "meadow", "river", "stone", "winter",
    "harvest",
)  # fmt: skip
RARE = "quicksilver"
"""A word that is in the text of one message in a thousand, and in the subject of another."""

EPOCH = 1_600_000_000
PARTS = ("cur", "new", "tmp")


def make_folder(path: Path) -> None:
    """Make an empty folder."""
    for part in PARTS:
        (path / part).mkdir(parents=True)


def fill(path: Path, count: int) -> None:
    """Make a folder with so many messages, half of them read."""
    make_folder(path)
    chance = random.Random(5)
    for number in range(count):
        name = f"{EPOCH + number}.M{number:07d}.bench:2,{'S' if number % 2 else ''}"
        file = path / "cur" / name
        file.write_bytes(message(number, chance))
        os.utime(file, (EPOCH + number, EPOCH + number))


def message(number: int, chance: random.Random) -> bytes:
    """Make one message; every fourth has an attachment."""
    subject = " ".join(chance.choices(WORDS, k=6)) + (f" {RARE}" if number % 1000 == 7 else "")
    body = "\n".join(" ".join(chance.choices(WORDS, k=12)) for _ in range(chance.randint(5, 30)))
    body += f"\n{RARE}\n" if number % 1000 == 3 else "\n"
    head = (
        f"Return-Path: <{WORDS[number % 29]}@example.org>\n"
        f"Received: from a.example.org by b.example.org; {formatdate(EPOCH + number)}\n"
        f"From: {WORDS[number % 30].title()} Person <{WORDS[number % 30]}@example.org>\n"
        f"To: Someone Else <someone@example.net>, {WORDS[number % 7]}@example.net\n"
        f"Subject: {subject}\nDate: {formatdate(EPOCH + number)}\n"
        f"Message-ID: <{number}@example.org>\nMIME-Version: 1.0\n"
    )
    if number % 4:
        return f"{head}Content-Type: text/plain; charset=utf-8\n\n{body}".encode()
    return (
        f'{head}Content-Type: multipart/mixed; boundary="=_{number}"\n\n--=_{number}\n'
        f"Content-Type: text/plain; charset=utf-8\n\n{body}\n--=_{number}\n"
        f"Content-Type: application/octet-stream; name=a.bin\nContent-Transfer-Encoding: base64\n"
        f"Content-Disposition: attachment; filename=a.bin\n\n{'QUJD' * 15}\n--=_{number}--\n"
    ).encode()
