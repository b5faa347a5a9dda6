"""Command lines become words as callers of the service expect."""

import pytest

from batch_emulator.compute_node.command_line import split


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("true", ["true"]),
        ("  a   b\tc ", ["a", "b", "c"]),
        ("/bin/sh -c 'echo $HOME | wc'", ["/bin/sh", "-c", "echo $HOME | wc"]),
        ('/bin/bash -c "echo test"', ["/bin/bash", "-c", "echo test"]),
        (r"""sh -c 'it'"'"'s'""", ["sh", "-c", "it's"]),
        (r'say "a \"word\""', ["say", 'a "word"']),
        (r"a\ b", ["a b"]),
        ("echo a > b", ["echo", "a", ">", "b"]),
        ("echo $HOME * # no comment", ["echo", "$HOME", "*", "#", "no", "comment"]),
        ("echo ''", ["echo", ""]),
        ("echo 'größe 🙂'", ["echo", "größe 🙂"]),
    ],
)
def test_a_command_line_is_split_but_not_interpreted(text: str, words: list[str]) -> None:
    assert split(text) == words


@pytest.mark.parametrize("text", ["", "   ", "echo 'a", 'echo "a', "echo a\\", "echo \0"])
def test_a_command_line_that_means_nothing_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="The command line"):
        split(text)
