"""The words of a text and how often each stands in it equal a plain Counter, however the text is read."""

from __future__ import annotations

import os
import string
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from node import top_n_words as script
from node.top_n_words import ExitCode, Refused, Text

# No blank has a code above these.
BLANKS = "".join(chr(code) for code in range(0x10000) if chr(code).isspace())
SPECIAL = "é\u0308ßñ“”–…中文𝔸👩‍🚀\u200b\ufeff\x7f\x01"
CHARACTERS = st.one_of(
    st.sampled_from("abAB"),
    st.sampled_from(BLANKS),
    st.sampled_from(string.punctuation),
    st.sampled_from(SPECIAL),
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"),
)
TEXTS = st.text(CHARACTERS, max_size=80)
SIZES = st.integers(1, 9)
ENCODINGS = st.sampled_from(
    [
        "utf-8",
        "utf-8-sig",
        "utf-16",
        "utf-16-be",
        "utf-32",
        "latin-1",
        "cp1252",
        "gb18030",
        "shift_jis",
        "utf-7",
    ]
)


def plain_count(text: str) -> Counter[str]:
    """The rule, in one line."""
    tokens = text.removeprefix("\ufeff").split()
    return Counter(word for word in (token.strip(string.punctuation) for token in tokens) if word)


@contextmanager
def sizes(block: int, stretch: int = 1 << 20, held: int = 1 << 16) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(script, "BLOCK_BYTES", block)
        patch.setattr(script, "STRETCH_BYTES", stretch)
        patch.setattr(script, "MOST_TOKENS_HELD", held)
        yield


@contextmanager
def opened(path: Path, encoding: str = "utf-8") -> Iterator[Text]:
    text = script.open_text(path, script.text_encoding(encoding))
    try:
        yield text
    finally:
        os.close(text.descriptor)


def count_by_stretches(text: Text) -> Counter[str]:
    """What several processes do, in this one."""
    total: Counter[str] = Counter()
    for start, end in script.stretches(text, 0, 1):
        for tokens in script.count_stretch(text, start, end):
            for word, count in zip(tokens.words, tokens.counts, strict=True):
                total[word] += count
    del total[""]
    return total


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("texts") / "text.txt"


@settings(deadline=None)
@given(text=TEXTS, block=SIZES, held=SIZES, encoding=ENCODINGS)
@example(text="\ufeff a", block=1, held=1, encoding="utf-8")
@example(text="(b) a, b! A a.", block=3, held=1, encoding="utf-16")
def test_words_counts_and_their_order_equal_a_plain_counter(
    path: Path, text: str, block: int, held: int, encoding: str
) -> None:
    data = text.encode(encoding, "ignore")
    assume(data)
    path.write_bytes(data)
    expected = plain_count(data.decode(encoding))
    with sizes(block, held=held), opened(path, encoding) as opened_text:
        counted = script.count_words(opened_text, 1)
    assert list(counted.items()) == list(expected.items())
    assert counted.most_common(3) == expected.most_common(3)


@settings(deadline=None, max_examples=300)
@given(
    text=TEXTS, block=SIZES, stretch=SIZES, encoding=st.sampled_from(["utf-8", "latin-1", "cp1252", "ascii"])
)
@example(text="a\u2003b\u3000a\u00a0\u0085b\u1680c\u2028c\u205f", block=2, stretch=1, encoding="utf-8")
@example(text="\u0405\u2003\u0105", block=9, stretch=2, encoding="utf-8")
def test_a_text_cut_anywhere_into_stretches_has_the_same_words_in_the_same_order(
    path: Path, text: str, block: int, stretch: int, encoding: str
) -> None:
    data = text.encode(encoding, "ignore")
    assume(data)
    path.write_bytes(data)
    with sizes(block, stretch), opened(path, encoding) as opened_text:
        counted = count_by_stretches(opened_text)
    assert list(counted.items()) == list(plain_count(data.decode(encoding)).items())


@settings(deadline=None)
@given(
    pieces=st.lists(st.one_of(TEXTS.map(str.encode), st.binary(max_size=3)), max_size=6),
    block=SIZES,
    stretch=SIZES,
)
@example(pieces=[b"a \xe2\x80"], block=1, stretch=1)
@example(pieces=[b"a \xf0\xc2\x85 b"], block=2, stretch=3)
def test_the_first_undecodable_byte_is_named_however_the_file_is_cut(
    path: Path, pieces: list[bytes], block: int, stretch: int
) -> None:
    data = b"".join(pieces).replace(b"\0", b"")
    offset = first_undecodable(data)
    assume(offset is not None)
    path.write_bytes(data)
    message = rf"text\.txt' is not utf-8 at byte {offset}:"
    with sizes(block, stretch), opened(path) as text:
        with pytest.raises(Refused, match=message) as whole:
            script.count_words(text, 1)
        with pytest.raises(Refused, match=message) as cut:
            count_by_stretches(text)
    assert whole.value.exit_code == cut.value.exit_code == ExitCode.UNDECODABLE


def first_undecodable(data: bytes) -> int | None:
    try:
        data.decode()
    except UnicodeDecodeError as error:
        return error.start
    return None


@pytest.mark.parametrize("blank", BLANKS)
def test_every_blank_of_python_is_an_edge_where_a_text_can_be_cut(path: Path, blank: str) -> None:
    path.write_text(f"aé{blank}b", encoding="utf-8", newline="")
    with opened(path) as text:
        assert script.word_edge(text, 1) == 3


@pytest.mark.parametrize("distance", range(1, 5))
def test_a_blank_that_lies_across_two_reads_is_seen(path: Path, distance: int) -> None:
    edge = 1 + (1 << 14) - distance  # one read from byte 1 on ends this far into, or right before, the blank
    path.write_text("x" * edge + "\u2003" + "y" * 100)
    with opened(path) as text:
        assert script.word_edge(text, 1) == edge


def test_a_text_without_blanks_is_one_stretch(path: Path) -> None:
    path.write_text("é" * 100)
    with sizes(10, 10), opened(path) as text:
        found = [(start, end) for start, end in script.stretches(text, 0, 1) if start < end]
    assert found == [(0, 200)]


@pytest.mark.parametrize("stretch", [40, 1000])
def test_a_word_longer_than_the_limit_is_refused_and_one_as_long_is_not(
    path: Path, monkeypatch: pytest.MonkeyPatch, stretch: int
) -> None:
    monkeypatch.setattr(script, "LONGEST_WORD", 50)
    with sizes(10, stretch):
        path.write_text(f"a {'é' * 50} b")
        with opened(path) as text:
            assert count_by_stretches(text) == {"a": 1, "é" * 50: 1, "b": 1}
        path.write_text(f"a {'é' * 51} b")
        with opened(path) as text, pytest.raises(Refused, match="more than 50 characters") as refused:
            count_by_stretches(text)
    assert refused.value.exit_code == ExitCode.WORD_TOO_LONG


def test_a_file_that_becomes_shorter_is_refused(path: Path) -> None:
    path.write_text("some words")
    with opened(path) as text, pytest.raises(Refused, match="became shorter") as refused:
        script.count_words(text._replace(size=text.size + 1), 1)
    assert refused.value.exit_code == ExitCode.UNREADABLE


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.txt", "a_OUTPUT.txt"),
        ("a b.tar.gz", "a b.tar_OUTPUT.gz"),
        ("README", "README_OUTPUT"),
        (".hidden", ".hidden_OUTPUT"),
        ("ends with.", "ends with._OUTPUT"),
        ("Erlkönig.txt", "Erlkönig_OUTPUT.txt"),
    ],
)
def test_the_table_stands_beside_its_text(name: str, expected: str) -> None:
    assert script.output_path(Path("folder", name)) == Path("folder", expected)
