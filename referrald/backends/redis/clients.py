"""Clients of redis-py, which is imported when there is need of it, and what its errors mean."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

import redis
from redis.backoff import NoBackoff
from redis.credentials import CredentialProvider
from redis.exceptions import (
    BusyLoadingError,
    MasterDownError,
    ReadOnlyError,
    RedisError,
    WatchError,
)
from redis.retry import Retry

from referrald.backends.redis.access import Access
from referrald.backends.redis.places import Place
from referrald.backends.servers import Wrong
from referrald.errors import Unavailable

Client: TypeAlias = Any
"""A ``redis.Redis``, whose replies are bytes here, which its types do not tell."""


class Down(Unavailable):
    """A server gave no answer, or is not ready to give one; another may be."""


class Overtaken(Exception):
    """Somebody else has changed something meanwhile."""


class Credentials(CredentialProvider):
    """Reads the password anew for each connection, so that it can be changed while we run."""

    def __init__(self, access: Access) -> None:
        self._access = access

    def get_credentials(self) -> tuple[str] | tuple[str, str]:
        """Give the name, if there is one, and the password."""
        try:
            password = self._access.current_password()
        except Wrong as error:
            raise redis.ConnectionError(f"password_file: {error}") from None
        return (self._access.username, password) if self._access.username else (password,)


def connect_later(place: Place, access: Access, *, timeout: float | None = None) -> Client:
    """Make a client, which connects when it is first used.

    timeout: seconds for each answer, in place of the usual ones. A connection that has ended is
    made anew before anything is sent, but nothing is ever sent twice.
    """
    settings: dict[str, Any] = {
        "db": access.database,
        "socket_timeout": access.timeout if timeout is None else timeout,
        "socket_connect_timeout": access.timeout,
        "retry": Retry(NoBackoff(), 0),
        "driver_info": None,
        "protocol": 2,
    }
    if access.password or access.password_file:
        settings["credential_provider"] = Credentials(access)
    if place.socket:
        return redis.Redis(unix_socket_path=place.socket, **settings)
    if place.tls:
        settings |= {
            "ssl": True,
            "ssl_ca_certs": access.ca,
            "ssl_certfile": access.certificate,
            "ssl_keyfile": access.key,
        }
    return redis.Redis(host=place.host, port=place.port, **settings)


@contextmanager
def failing(name: str) -> Iterator[None]:
    """Turn errors of the library into `Unavailable`, of one line."""
    try:
        yield
    except WatchError:
        raise Overtaken from None
    except (ReadOnlyError, BusyLoadingError, MasterDownError) as error:
        raise Down(_line(name, error)) from error
    except (redis.ConnectionError, redis.TimeoutError, OSError) as error:
        raise Down(_line(name, error)) from error
    except (RedisError, UnicodeError) as error:
        raise Unavailable(_line(name, error)) from error


def _line(name: str, error: Exception) -> str:
    text = str(error).strip().split("\n")[0]
    return f"redis {name}: {text or type(error).__name__}"
