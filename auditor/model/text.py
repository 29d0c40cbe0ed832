"""Text from outside, made fit to be shown."""

from __future__ import annotations

import re

# Control characters, line and paragraph separators, zero-width and bidirectional marks, and surrogates:
# what can move a cursor, break a line or make text read as something else (Unicode categories C* and Z*).
_HOSTILE = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202f\u2060-\u206f"
    "\ufeff\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)


def shown(text: str) -> str:
    r"""Return `text` with every character that is not plainly visible written as its escape, such as `\x1b`."""
    return _HOSTILE.sub(
        lambda match: match[0].encode("unicode_escape", "surrogatepass").decode("ascii"), text
    )
