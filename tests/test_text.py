"""Strangers' text: one well-formed, printable line, whatever was given."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framesearch.text import safe_text


@pytest.mark.parametrize(
    ("given_text", "shown"),
    [
        ("Größe – 映画 🎬", "Größe – 映画 🎬"),
        ("caf\udce9", "caf\N{REPLACEMENT CHARACTER}"),  # Latin-1 bytes, as Python reads a file name
        ("first\nsecond\r\nthird", "first second third"),
        ("a\u2028b\u2029c", "a b c"),
        ("\x1b]0;owned\x07\x1b[31mred", "]0;owned[31mred"),
        ("report\u202egpj.exe", "reportgpj.exe"),
        ("\u2066isolated\u2069", "isolated"),
        ("سلام\u200f دنیا", "سلام\u200f دنیا"),
        ("  much \t space ", "much space"),
        ("nul\x00byte", "nulbyte"),
        (12.5, "12.5"),
        (None, "None"),
        ({"title": "x"}, "{'title': 'x'}"),
    ],
)
def test_text_becomes_one_printable_line(given_text: object, shown: str) -> None:
    assert safe_text(given_text) == shown


def test_text_is_cut_at_its_longest() -> None:
    assert safe_text("word " * 200, longest=20) == "word word word word…"


@given(st.text(alphabet=st.characters()))
def test_any_text_can_be_encoded_printed_on_one_line_and_is_stable(text: str) -> None:
    safe = safe_text(text)
    safe.encode("utf-8")
    assert len(safe.splitlines()) <= 1
    assert safe_text(safe) == safe
