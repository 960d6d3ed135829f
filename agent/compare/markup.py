"""Text that others chose, made fit for a page."""

from __future__ import annotations

import re
from html import escape

_UNFIT = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 has no place for, §2.2: controls and lone surrogates."""


def clean(text: str) -> str:
    """Put a replacement character for each one that a page can't hold.

    >>> clean("a" + chr(0) + "b") == "a" + chr(0xFFFD) + "b", clean("straße")
    (True, 'straße')
    """
    return _UNFIT.sub("\ufffd", text)


def escaped(text: str) -> str:
    """Make text fit for a page, attributes in double quotes included.

    >>> escaped('<b title="x">')
    '&lt;b title=&quot;x&quot;&gt;'
    """
    return escape(clean(text)).replace("\r", "&#13;")
