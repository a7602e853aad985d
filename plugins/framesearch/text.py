"""Text from strangers (titles, file names, error messages), made safe once, where it enters.

A title may hold anything: bytes that are no text, line breaks that forge a log line, escape sequences that drive a
terminal, overrides that reverse the order of letters. What is stored in the catalogue is safe to print, log and show.

Source: Unicode TR 36 and TR 55 (bidirectional controls), ECMA-48 (control characters).
"""

import unicodedata

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
LONGEST = 500  # characters: longer than any title that a person reads

# Marks that hint at direction are part of right-to-left titles; embeddings, overrides and isolates can reorder what
# follows the text, and are dropped.
_REORDERING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def safe_text(value: object, longest: int = LONGEST) -> str:
    """One line of well-formed, printable text, whatever was given.

    Lone surrogates (bytes that are no UTF-8) become U+FFFD; line breaks and other white space become single spaces;
    control characters and bidirectional overrides are dropped; what exceeds `longest` characters is cut with "…".
    """
    text = " ".join("".join(map(_safe, str(value))).split())
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"


def _safe(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Cs":
        return REPLACEMENT
    if category in ("Zl", "Zp") or character in "\t\n\v\f\r\x1c\x1d\x1e\x85":
        return " "
    return "" if category == "Cc" or character in _REORDERING else character
