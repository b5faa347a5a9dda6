"""The N most frequent words of one text file, on a Batch node: standard library only, Python 3.10 to 3.13.

One idea: words are counted as they stand, a stretch of the file at a time, and only the different ones of a
stretch are stripped and added to the total, in the order of the file. So the total has its words in order of
first appearance, every core counts stretches of its own, and memory grows with the vocabulary, not the file.

A word is what stands between white space (as `str.split` sees it), without ASCII punctuation at its ends,
case kept; what is empty after that is no word. A leading byte-order mark is no part of the text. A file of
nothing but white space or punctuation is a text without words: its table is empty. A file without a byte is
refused, and so is one with a word longer than LONGEST_WORD.
"""

from __future__ import annotations

import argparse
import codecs
import os
import re
import stat
import string
import sys
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from enum import IntEnum
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

BLOCK_BYTES = 1 << 17  # read and split at once: small enough for a core's own cache
STRETCH_BYTES = 1 << 22  # counted by one process at a time
MOST_TOKENS_HELD = 1 << 16  # different ones; more are handed on early, so that odd files stay in memory too
LONGEST_WORD = 1 << 22  # characters
RULE = "-" * 30
ENVIRONMENT = (("Node: ", "NODE"), ("Task: ", "TASK"), ("Job:  ", "JOB"), ("Pool: ", "POOL"))

ASCII_BLANK = rb"[\t-\r\x1c-\x20]"
# U+0085, U+00A0, U+1680, U+2000 to U+200A, U+2028, U+2029, U+202F, U+205F, U+3000
WIDE_BLANK = rb"\xc2[\x85\xa0]|\xe1\x9a\x80|\xe2\x80[\x80-\x8a\xa8\xa9\xaf]|\xe2\x81\x9f|\xe3\x80\x80"
# Encodings in which a blank is seen without decoding what stands before it. Others are read by one process.
BLANKS = {name: re.compile(ASCII_BLANK) for name in ("ascii", "cp1252", "iso8859-1", "iso8859-15")}
BLANKS["utf-8"] = re.compile(ASCII_BLANK + b"|" + WIDE_BLANK)


class ExitCode(IntEnum):
    """What the task's exit code says; 1 stays an unexpected error, with a traceback."""

    DONE = 0
    WRONG_COMMAND_LINE = 2  # argparse's own
    N_TOO_SMALL = 3
    MISSING = 4
    NOT_A_FILE = 5
    EMPTY = 6
    BINARY = 7
    UNDECODABLE = 8
    WORD_TOO_LONG = 9
    UNREADABLE = 10
    UNWRITABLE = 11
    PROCESS_LOST = 12


class Refused(Exception):
    """Why there is no result: an exit code and a sentence for the reader."""

    def __init__(self, exit_code: ExitCode, message: str) -> None:
        """Keep both in `args`, so that it travels between processes."""
        super().__init__(exit_code, message)
        self.exit_code, self.message = exit_code, message


class Text(NamedTuple):
    """An open text file; `encoding` is Python's canonical name, `size` is in bytes."""

    descriptor: int
    size: int
    name: str
    encoding: str


class Tokens(NamedTuple):
    """Stripped tokens, some equal or empty, in order of first appearance, and how often each was seen."""

    words: Iterable[str]
    counts: Iterable[int]


def open_text(path: Path, encoding: str) -> Text:
    """Open the file, or raise Refused when it is missing, no regular file, unreadable or empty."""
    try:
        # O_NONBLOCK: a named pipe is to be refused, not waited for.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except FileNotFoundError:
        raise Refused(ExitCode.MISSING, f"{str(path)!r} does not exist") from None
    except OSError as error:
        raise Refused(ExitCode.UNREADABLE, f"{str(path)!r} cannot be read: {error.strerror}") from None
    status = os.fstat(descriptor)
    if stat.S_ISREG(status.st_mode) and status.st_size:
        return Text(descriptor, status.st_size, str(path), encoding)
    os.close(descriptor)
    if stat.S_ISREG(status.st_mode):
        raise Refused(ExitCode.EMPTY, f"{str(path)!r} is empty")
    kind = "a directory" if stat.S_ISDIR(status.st_mode) else "not a regular file"
    raise Refused(ExitCode.NOT_A_FILE, f"{str(path)!r} is {kind}; give one text file")


def read(text: Text, count: int, position: int) -> bytes:
    """Between 1 and `count` bytes from `position` on, which must be within the file."""
    try:
        data = os.pread(text.descriptor, count, position)
    except OSError as error:
        raise Refused(ExitCode.UNREADABLE, f"{text.name!r} cannot be read: {error.strerror}") from None
    if not data:
        raise Refused(ExitCode.UNREADABLE, f"{text.name!r} became shorter while it was read")
    return data


def decoded(text: Text, start: int, end: int) -> Iterator[str]:
    """The characters of the bytes [start, end), block by block; raises Refused where they are no text."""
    decoder = codecs.getincrementaldecoder(text.encoding)()
    nul_is_a_byte = len("\0".encode(text.encoding)) == 1
    position = start
    while position < end:
        data = read(text, min(BLOCK_BYTES, end - position), position)
        if nul_is_a_byte and b"\0" in data:
            where = (
                f"byte {position + data.index(0)} is zero; if it is UTF-16 or UTF-32, say so by --encoding"
            )
            raise Refused(ExitCode.BINARY, f"{text.name!r} is binary: {where}")
        position += len(data)
        try:
            characters = decoder.decode(data, position == end)
        except UnicodeError as error:
            offset, reason = start, str(error)
            if isinstance(error, UnicodeDecodeError):
                # Its object ends at `position`, and begins with what the decoder kept from the block before.
                offset, reason = position - len(error.object) + error.start, error.reason
            what = f"not {text.encoding} at byte {offset}: {reason}; give its true encoding by --encoding"
            raise Refused(ExitCode.UNDECODABLE, f"{text.name!r} is {what}") from None
        if not nul_is_a_byte and "\0" in characters:
            raise Refused(ExitCode.BINARY, f"{text.name!r} is binary: it holds a zero character")
        yield characters


def split(text: Text, start: int, end: int) -> Iterator[list[str]]:
    """What stands between white space in [start, end), a list for each block; no token is cut by its end."""
    cut, first = "", start == 0
    for block in decoded(text, start, end):
        characters = cut + block
        if first and characters:
            characters, first = characters.removeprefix("\ufeff"), False
        tokens = characters.split()
        if tokens and len(tokens[0]) > LONGEST_WORD:
            what = f"more than {LONGEST_WORD:,} characters without white space, which are no word"
            raise Refused(ExitCode.WORD_TOO_LONG, f"{text.name!r} holds {what}")
        cut = tokens.pop() if tokens and not characters[-1].isspace() else ""
        yield tokens
    yield [cut] if cut else []


def count_stretch(text: Text, start: int, end: int) -> Iterator[Tokens]:
    """The tokens of the bytes [start, end), which begin and end at a word's edge, in bounded memory."""
    held: Counter[str] = Counter()
    for tokens in split(text, start, end):
        held.update(tokens)
        if len(held) > MOST_TOKENS_HELD:
            yield Tokens(map(str.strip, held, repeat(string.punctuation)), held.values())
            held.clear()
    yield Tokens(map(str.strip, held, repeat(string.punctuation)), held.values())


def word_edge(text: Text, target: int) -> int:
    """The first offset from `target` on at which neither a word nor a character is cut; 0 is one."""
    position = target
    far_enough = target + 4 * LONGEST_WORD  # a character has at most four bytes in the encodings of BLANKS
    while 0 < position < min(text.size, far_enough):
        data = read(text, 1 << 14, position)
        if blank := BLANKS[text.encoding].search(data):
            return position + blank.start()
        position += max(1, len(data) - 2)  # a blank has up to three bytes
    return text.size if target else 0


def stretches(text: Text, first: int, step: int) -> Iterator[tuple[int, int]]:
    """The edges of every `step`-th stretch from number `first` on; all stretches together are the file."""
    for target in range(first * STRETCH_BYTES, text.size, step * STRETCH_BYTES):
        yield word_edge(text, target), word_edge(text, target + STRETCH_BYTES)


def send_stretches(text: Text, number: int, processes: int, sender: Connection) -> None:
    """In a process of its own: send the tokens of its stretches, None after each, or the refusal."""
    try:
        for start, end in stretches(text, number, processes):
            for tokens in count_stretch(text, start, end):
                sender.send(("\n".join(tokens.words).encode(), array("Q", tokens.counts).tobytes()))
            sender.send(None)
    except Refused as refused:
        sender.send(refused)


def receive_stretch(text: Text, receiver: Connection) -> Iterator[Tokens]:
    """The tokens of a worker's next stretch, or its refusal raised here."""
    while True:
        try:
            message = receiver.recv()
        except EOFError:
            why = "a process that counted it was lost; the node may be short of memory"
            raise Refused(ExitCode.PROCESS_LOST, f"{text.name!r}: {why}") from None
        if message is None:
            return
        if isinstance(message, Refused):
            raise message
        counts = array("Q")
        counts.frombytes(message[1])
        yield Tokens(message[0].decode().split("\n"), counts)


def count_in_processes(text: Text, processes: int) -> Iterator[Tokens]:
    """All tokens, in the order of the file. A worker is at most a stretch ahead: a full pipe stops it."""
    from multiprocessing import get_context  # noqa: PLC0415 - a small file is counted sooner without it

    def work(number: int, receiver: Connection, sender: Connection) -> None:
        receiver.close()  # else the loss of the parent would go unnoticed here
        with suppress(BrokenPipeError, KeyboardInterrupt):
            send_stretches(text, number, processes, sender)

    context, workers = get_context("fork"), []
    try:
        for number in range(processes):
            receiver, sender = context.Pipe(duplex=False)
            worker = context.Process(target=work, args=(number, receiver, sender), daemon=True)
            worker.start()
            sender.close()
            workers.append((worker, receiver))
        for number in range(-(-text.size // STRETCH_BYTES)):
            yield from receive_stretch(text, workers[number % processes][1])
    finally:
        for worker, receiver in workers:
            worker.kill()
            worker.join()
            receiver.close()


def count_words(text: Text, processes: int) -> Counter[str]:
    """Every word of the text with its count, in order of first appearance; raises Refused."""
    processes = min(processes, -(-text.size // STRETCH_BYTES)) if text.encoding in BLANKS else 1
    parts = count_in_processes(text, processes) if processes > 1 else count_stretch(text, 0, text.size)
    total: Counter[str] = Counter()
    so_far = total.get
    for words, counts in parts:
        for word, count in zip(words, counts):  # noqa: B905 - `strict` costs time in the innermost loop
            total[word] = so_far(word, 0) + count
    del total[""]
    return total


def table(most_common: Iterable[tuple[str, int]]) -> Iterator[str]:
    """The lines of the result; the Batch service names node, task, job and pool in the environment."""
    yield f"Word\tCount\n{RULE}\n"
    for word, count in most_common:
        yield f"{word}:\t{count}\n"
    yield f"{RULE}\n"
    for label, name in ENVIRONMENT:
        yield f"{label}{os.environ.get(f'AZ_BATCH_{name}_ID', '')}\n"


def output_path(path: Path) -> Path:
    """`<stem>_OUTPUT<suffix>` beside the input; a dot that begins or ends a name begins no suffix."""
    name = path.name
    dot = name.rfind(".")
    if not 0 < dot < len(name) - 1:
        dot = len(name)
    return path.parent / f"{name[:dot]}_OUTPUT{name[dot:]}"


def write_beside(path: Path, lines: Iterable[str]) -> None:
    """Write the lines to `<name>.partial`, then give it its name: what bears the name is whole."""
    partial = path.parent / f"{path.name}.partial"
    try:
        # Some encodings can spell half a surrogate pair, which UTF-8 cannot.
        with partial.open("w", encoding="utf-8", errors="backslashreplace", newline="\n") as file:
            file.writelines(lines)
        partial.replace(path)
    except OSError as error:
        raise Refused(ExitCode.UNWRITABLE, f"{str(path)!r} cannot be written: {error.strerror}") from None
    finally:
        with suppress(OSError):
            partial.unlink()


def text_encoding(name: str) -> str:
    """Python's canonical name of a text encoding; UTF-8 with a byte-order mark is UTF-8."""
    try:
        "\0".encode(name)
        codecs.getincrementaldecoder(name)
        return codecs.lookup(name).name.removesuffix("-sig")
    except (LookupError, ValueError):
        raise argparse.ArgumentTypeError(f"{name!r} is no text encoding that Python knows") from None


def cores() -> int:
    """How many cores this process may use."""
    allowed: Callable[[int], set[int]] | None = getattr(os, "sched_getaffinity", None)
    return len(allowed(0)) if allowed else os.cpu_count() or 1


def arguments(argv: list[str] | None) -> argparse.Namespace:
    """The command line, parsed; a wrong one ends the process with exit code 2."""
    parser = argparse.ArgumentParser(prog="top_n_words.py", description="Find a text's most frequent words.")
    add = parser.add_argument
    add("input", type=Path, help="the text file")
    add("--n", type=int, default=3, help="how many words, at least 1 (default: 3)")
    add("--encoding", type=text_encoding, default="utf-8", help="of the input (default: utf-8)")
    add("--output", type=Path, help="where the table goes (default: <stem>_OUTPUT<suffix> beside the input)")
    add("--counts", type=Path, help="also write word<TAB>count lines of all words here, by first appearance")
    options = parser.parse_args(argv)
    options.output = options.output or output_path(options.input)
    places = [path.absolute() for path in (options.input, options.output, options.counts) if path]
    if len(set(places)) < len(places):
        parser.error("input, --output and --counts must be different files")
    return options


def run(options: argparse.Namespace) -> None:
    """Count and write, or raise Refused. The table comes last: where it is, the counts are whole too."""
    if options.n < 1:
        raise Refused(ExitCode.N_TOO_SMALL, f"--n is {options.n}; it must be at least 1")
    words = count_words(open_text(options.input, options.encoding), cores())
    if options.counts:
        write_beside(options.counts, (f"{word}\t{count}\n" for word, count in words.items()))
    write_beside(options.output, table(words.most_common(options.n)))


def main(argv: list[str] | None = None) -> int:
    """Do what the command line says; the exit code."""
    options = arguments(argv)
    try:
        run(options)
    except Refused as refused:
        print(f"top_n_words: {refused.message}", file=sys.stderr)
        return refused.exit_code
    return ExitCode.DONE


if __name__ == "__main__":
    sys.exit(main())
