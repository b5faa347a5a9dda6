"""A workload's command is quoted for the shell, whatever the file is called."""

import subprocess
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batch_tasks.workload import FileRun, Workload

AWKWARD = [
    "a b.txt",
    " leading and trailing ",
    "-rf",
    "--help",
    "it's.txt",
    'say "hi".txt',
    "$HOME.txt",
    "`id`.txt",
    "$(id).txt",
    "a;b&c|d.txt",
    "new\nline.txt",
    "tab\t.txt",
    "back\\slash.txt",
    "star*?[x].txt",
    "{input}.txt",
    "100%.txt",
    "#1!.txt",
    "~.txt",
    "Ünïcödé 日本 🎈.txt",
    ".hidden",
    "a.b.c.txt",
    "x" * 200,
]
file_names = st.text(
    st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=60
)


def words_seen_by_a_command(line: str) -> list[str]:
    """What the shell makes of a command line `show ...`."""
    script = 'show() { for word in "$@"; do printf \'%s\\0\' "$word"; done; }\n' + line
    run = subprocess.run(["/bin/sh", "-c", script], capture_output=True, check=True)
    return run.stdout.decode("utf-8", "surrogateescape").split("\0")[:-1]


def workload(command: str, *outputs: str) -> Workload:
    return Workload(name="test", command=command, outputs=outputs)


@pytest.mark.parametrize("name", AWKWARD)
def test_a_command_sees_exactly_the_name_of_its_file(name: str) -> None:
    run = workload("show {input} --to={stem}.out", "{stem}.out").for_file(name)
    seen = words_seen_by_a_command(run.command)
    shown = f"./{name}" if name.startswith("-") else name
    assert seen == [shown, f"--to={PurePosixPath(name).stem}.out"]


@settings(max_examples=60, deadline=None)
@given(file_names)
def test_a_command_sees_any_name(name: str) -> None:
    run = workload("show x{input} {suffix}. {output}", "{stem}_OUT{suffix}").for_file(name)
    path = PurePosixPath(name)
    output = f"{path.stem}_OUT{path.suffix}"
    shown = f"./{output}" if output.startswith("-") else output
    assert words_seen_by_a_command(run.command) == [f"x{name}", f"{path.suffix}.", shown]
    assert run.outputs == (output,)


def test_shell_variables_and_doubled_braces_are_left_to_the_shell() -> None:
    run = workload("awk '{{print}}' ${HOME} $1 {} {input}", "out").for_file("a")
    assert run.command == "awk '{print}' ${HOME} $1 {} a"


def test_patterns_are_kept_apart_from_names_and_take_names_literally() -> None:
    run = workload("x", "{stem}.log", "{stem}-*.gz").for_file("a[1].txt")
    assert run == FileRun("x", ("a[1].log",), ("a[[]1]-*.gz",))


def test_a_sound_workload_has_no_problems() -> None:
    assert workload("gzip -c {input} > {output}", "{name}.gz").problems() == []


def test_all_problems_are_told_at_once() -> None:
    problems = Workload(
        name="test",
        command="convert '{input}' {size} {output}",
        outputs=("../{stem}", "*.png", "{output}"),
        node_files=(Path("/nowhere/script.py"),),
    ).problems()
    text = "\n".join(problems)
    assert "quotes around {input}" in text
    assert "{size}, none of {input}, {name}, {stem}, {suffix}, {output}" in text
    assert "'../{stem}' must lie in the folder" in text
    assert "{output}, none of {input}, {name}, {stem}, {suffix}. " in text
    assert "/nowhere/script.py" in text
    assert len(problems) == 5


def test_a_command_without_outputs_or_text_is_refused() -> None:
    assert len(workload(" ").problems()) == 2


def test_an_output_placeholder_needs_an_output_named_outright() -> None:
    assert workload("x > {output}", "*.gz").problems() != []


@pytest.mark.parametrize("command", ['sh -c "cat {input}"', "echo 'a {stem}'", 'echo "it\'s {name}"'])
def test_quotes_around_a_field_are_refused(command: str) -> None:
    assert any("quotes around" in problem for problem in workload(command, "x").problems())


@pytest.mark.parametrize("command", ["echo \"a\" {input} 'b'", r"echo \"{input}\"", "echo '\"' {input}"])
def test_quotes_beside_a_field_are_fine(command: str) -> None:
    assert workload(command, "x").problems() == []


def test_an_output_whose_name_linux_cannot_hold_is_refused_before_anything_runs() -> None:
    assert workload("x", "{stem}_OUTPUT{suffix}").file_problems("ä" * 126) != []
    assert workload("x", "{stem}_OUTPUT{suffix}").file_problems("a" * 240) == []
