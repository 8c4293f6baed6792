"""How to get in at a Redis server: the password, out of its file, and the certificates."""

from __future__ import annotations

from pathlib import Path

import attrs

from referrald.backends.servers import Wrong

LONGEST_PASSWORD = 4_096


@attrs.frozen(kw_only=True)
class Access:
    """What all servers of a backend have in common; paths are None where there is no such file.

    timeout: seconds that a server may take to be connected to, and again for each answer.
    """

    database: int = 0
    username: str = ""
    password: str = attrs.field(default="", repr=False)
    password_file: str | None = None
    ca: str | None = None
    certificate: str | None = None
    key: str | None = None
    timeout: float = 1.0

    def current_password(self) -> str:
        """Give the password of this moment, empty for none; raises `Wrong`."""
        return read_password(self.password_file) if self.password_file else self.password


def read_password(path: str) -> str:
    """Read the one line of a file; raises `Wrong`."""
    try:
        with Path(path).open(encoding="utf-8") as file:
            lines = file.read(LONGEST_PASSWORD).splitlines()
    except OSError as error:
        raise Wrong(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise Wrong(f"{path} is not UTF-8") from None
    if len(lines) != 1 or not lines[0]:
        raise Wrong(f"{path} does not have just one line", "the password and nothing else")
    return lines[0]
