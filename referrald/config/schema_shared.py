"""The schema of what front doors share: where the server is by which they do."""

from __future__ import annotations

import attrs

from referrald.backends.redis.keys import USUAL_PREFIX
from referrald.backends.redis.options import CONNECTING
from referrald.config.section import Section
from referrald.model import Option

NOT_HERE = ("servers", "connections")

SHARED = Section(
    name="shared",
    help="Where front doors tell each other of referrals (`referral.storm_count`) and failed "
    "logins (`limits.failures_per_user`), so that these count for all of them: a Redis or Valkey, "
    "for which `referrald[redis]` is needed. While it is down each counts for itself; no login "
    "ever waits for it. This section counts from the next start.",
    options=(
        *(
            attrs.evolve(option, required=False, default=())
            for option in CONNECTING
            if option.name == "servers"
        ),
        *(option for option in CONNECTING if option.name not in NOT_HERE),
        Option(
            name="prefix",
            kind="string",
            default=USUAL_PREFIX,
            help="What the key begins with: front doors with the same one share their counts.",
        ),
    ),
)
