"""Write the DNS record that says where one user's mail lives (an experiment).

Run as ``python sign_home.py KEY USER HOST[:PORT]… > record``. KEY is a file with an Ed25519 key in
PEM form: ``openssl genpkey -algorithm ed25519 -out dns.key``. The front door gets the public half:
``openssl pkey -in dns.key -pubout -out dns.pem``.
"""

import sys
import time
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from referrald.backends.dns.signed import record_name, sign
from referrald.backends.servers import parse_server

WEEK = 7 * 24 * 3600


def record(key_file: str, user: str, servers: list[str]) -> str:
    """Give a line for a zone file; without servers the home is the front door itself."""
    key = load_pem_private_key(Path(key_file).read_bytes(), None)
    if not isinstance(key, Ed25519PrivateKey):
        raise SystemExit(f"{key_file} is no Ed25519 key")
    homes = [parse_server(each) for each in servers]
    text = sign(key, user, homes, int(time.time()) + WEEK)
    strings = " ".join(f'"{text[at : at + 255]}"' for at in range(0, len(text), 255))
    return f"{record_name(user)}. 300 IN TXT {strings}"


if __name__ == "__main__":
    print(record(sys.argv[1], sys.argv[2], sys.argv[3:]))
