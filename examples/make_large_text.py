#!/usr/bin/env python3
"""Make a text of any size: `make_large_text.py SIZE_MB PATH`. The same size gives the same text.

The words are made up, and their frequencies are like a language's: of the few thousand words that everybody
uses, the r-th stands about 1/r as often as the first (Zipf's law); from there on they fall faster, and rare
words keep coming for as long as one reads.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterator
from pathlib import Path

MB = 1_000_000
VOCABULARY = 300_000
IN_EVERYBODYS_USE = 5_000
FASTER_FALL = 1.7  # the exponent from there on
MOST_FREQUENT = 400_000  # copies of the first word in the bag that words are drawn from
SYLLABLES = [consonant + vowel for consonant in "bdklmnrstvz" for vowel in "aeio"] + ["é", "ñu", "ßa"]
ENDINGS = (" ", " ", " ", " ", " ", ", ", ". ", "; ", "! ", ' "', ".\n", "\n\n")


def bag_of_words(dice: random.Random) -> list[str]:
    """Words, each as often as a draw should be likely to give it; short ones are the frequent ones."""
    bag: list[str] = []
    for rank in range(1, VOCABULARY + 1):
        word = "".join(dice.choices(SYLLABLES, k=1 + min(5, len(str(rank)))))
        rarity = (
            rank
            if rank < IN_EVERYBODYS_USE
            else IN_EVERYBODYS_USE * (rank / IN_EVERYBODYS_USE) ** FASTER_FALL
        )
        bag += [word] * max(1, int(MOST_FREQUENT / rarity))
    return bag


def sentences(size_bytes: int) -> Iterator[str]:
    """Text of at least `size_bytes` in UTF-8, a few words at a time."""
    dice = random.Random(size_bytes)  # noqa: S311 - a text, not a secret
    bag = bag_of_words(dice)
    written = 0
    while written < size_bytes:
        sentence = " ".join(dice.choices(bag, k=dice.randrange(4, 16))) + dice.choice(ENDINGS)
        written += len(sentence.encode())
        yield sentence


def main() -> None:
    """Write the text."""
    parser = argparse.ArgumentParser(
        description="Make a text of any size, with the word frequencies of a language."
    )
    parser.add_argument("size_mb", type=float, help="how many megabytes (of a million bytes), at least")
    parser.add_argument("path", type=Path, help="where to write it")
    options = parser.parse_args()
    with options.path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(sentences(int(options.size_mb * MB)))


if __name__ == "__main__":
    main()
