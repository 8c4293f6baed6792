"""The charsets in which a client may write what it searches for."""

from __future__ import annotations

from encodings.aliases import aliases
from typing import Final

from referrald.errors import WireError

CHARSETS: Final = (
    "US-ASCII", "UTF-8",
    *(f"ISO-8859-{part}" for part in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15, 16)),
    *(f"WINDOWS-{page}" for page in range(1250, 1259)),
    "KOI8-R", "KOI8-U", "IBM437", "IBM850", "IBM866", "MACINTOSH", "TIS-620",
    "BIG5", "BIG5-HKSCS", "GB2312", "GBK", "GB18030", "HZ-GB-2312",
    "SHIFT_JIS", "EUC-JP", "ISO-2022-JP", "EUC-KR", "ISO-2022-KR",
)  # fmt: skip
"""Those that are told in BADCHARSET; UTF-8 is what everybody ought to use."""


def _key(name: str) -> str:
    return name.lower().replace("-", "_").replace(" ", "_")


def _codecs() -> dict[str, str]:
    own = {key: aliases.get(key, key) for key in map(_key, CHARSETS)}
    known = frozenset(own.values())
    found = own | {codec: codec for codec in known}
    found |= {alias: codec for alias, codec in aliases.items() if codec in known}
    # Many clients write UTF-8 and call it ASCII.
    return {key: "utf-8" if codec == "ascii" else codec for key, codec in found.items()}


_CODECS: Final = _codecs()


def codec_of(charset: str) -> str | None:
    """Give the codec of a charset, None for one that is not known; other aliases will do."""
    return _CODECS.get(_key(charset))


def decoded(text: bytes, codec: str) -> str:
    """Decode what a client searches for; raises `WireError`."""
    try:
        return text.decode(codec)
    except UnicodeError:
        raise WireError("The string is not in the charset.") from None
