"""Make ``twistd referrald`` known; the code itself is loaded only when it is run."""

from twisted.application.service import ServiceMaker

referrald = ServiceMaker(
    "referrald",
    "referrald.tap",
    "An IMAP front door that refers every client to its home server.",
    "referrald",
)
