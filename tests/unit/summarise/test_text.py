"""Texts: characters, words, scripts."""

from __future__ import annotations

import unicodedata

import numpy as np
import pytest

from agent.summarise import text
from agent.summarise.text import SCRIPTS, summarise


@pytest.mark.parametrize(
    ("value", "script"),
    [
        ("The quick brown fox", "latin"),
        ("Zażółć gęślą jaźń", "latin"),
        ("Съешь ещё этих булок", "cyrillic"),
        ("Η γρήγορη αλεπού", "greek"),
        ("مرحبا بالعالم", "arabic"),
        ("שלום עולם", "hebrew"),
        ("नमस्ते दुनिया", "devanagari"),
        ("ওহে বিশ্ব", "indic"),
        ("வணக்கம் உலகம்", "indic"),
        ("สวัสดีชาวโลก", "thai"),
        ("ສະບາຍດີ", "southeast_asian"),
        ("你好,世界", "han"),
        ("東京で会いましょう", "japanese"),
        ("안녕 세상아", "hangul"),
        ("გამარჯობა", "georgian"),
        ("Բարեւ աշխարհ", "armenian"),
        ("ሰላም ልዑል", "ethiopic"),
        ("ᏣᎳᎩ ᎦᏬᏂᎯᏍᏗ", "other"),
        ("", "none"),
        ("12:30 — 5 €! 🎉", "none"),
        ("привет ok", "cyrillic"),
        ("ok привет", "cyrillic"),
        ("ab вг", "latin"),
    ],
)
def test_dominant_script(value: str, script: str) -> None:
    assert SCRIPTS[summarise([value]).script[0]] == script


@pytest.mark.parametrize("prefix", ["LATIN", "CYRILLIC", "GREEK", "ARABIC", "HEBREW", "DEVANAGARI", "THAI", "HANGUL", "CJK"])
def test_scripts_are_those_of_the_unicode_database(prefix: str) -> None:
    wanted = {"CJK": "han"}.get(prefix, prefix.lower())
    letters = [
        chr(point)
        for point in range(0x30000)
        if unicodedata.category(chr(point)) in ("Lu", "Ll", "Lo") and unicodedata.name(chr(point), "").startswith(prefix + " ")
    ]
    # The mathematical and phonetic oddities of the supplementary planes are not spelt out.
    found = summarise(letters).script
    wrong = [letter for letter, place in zip(letters, found, strict=True) if SCRIPTS[place] != wanted]
    assert len(wrong) <= len(letters) // 20, wrong


def test_words_are_those_of_split() -> None:
    rng = np.random.default_rng(5)
    signs = list("ab é漢\u3000\xa0\t\n\r\x1c\u2003.-😀")
    texts = ["".join(rng.choice(signs, size=rng.integers(0, 30))) for _ in range(500)]
    found = summarise(texts)
    assert found.words.tolist() == [len(value.split()) for value in texts]
    assert found.length.tolist() == [len(value) for value in texts]


def test_half_surrogates_are_characters() -> None:
    assert summarise(["a\ud800b"]).length.tolist() == [3]


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ["один два", "", "three", "x" * 50, "四"] * 20
    whole = summarise(texts)
    monkeypatch.setattr(text, "_CHUNK", 20)
    for mine, other in zip(summarise(texts), whole, strict=True):
        assert mine.tolist() == other.tolist()


def test_no_texts() -> None:
    assert [values.size for values in summarise([])] == [0, 0, 0]
