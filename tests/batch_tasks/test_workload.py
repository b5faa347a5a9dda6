"""A workload's command is quoted for the shell, whatever the file is called."""

import subprocess
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from batch_tasks.workload import FileRun, Merge, StartTask, Workload

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
    "host:file.txt",
    "name=value.txt",
    "+1.txt",
    "@list.txt",
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
    shown = f"./{name}" if name[0] in "-+@" or set(":=") & set(name) else name
    assert seen == [shown, f"--to={PurePosixPath(name).stem}.out"]
    assert PurePosixPath(shown) == PurePosixPath(name)


@settings(max_examples=60, deadline=None)
@given(file_names)
@example("0.:")
@example("a.-x")
def test_a_command_sees_any_name(name: str) -> None:
    run = workload("show x{input} {suffix}. {output}", "{stem}_OUT{suffix}").for_file(name)
    path = PurePosixPath(name)
    output = f"{path.stem}_OUT{path.suffix}"
    shown = f"./{output}" if output[0] in "-+@" or set(":=") & set(output) else output
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


MISPLACED = {
    "quotes around {input}": [
        'sh -c "cat {input}"',
        'echo "it\'s {input}"',
        "echo 'a {input}'",
        'echo "$(echo "{input}")"',
        'echo "$(echo a) {input}"',
        'echo "`echo a` {input}"',
        'echo "$((1 << 2)) {input}"',
        "cat <<a\nit's\na\necho '{input}'",
    ],
    "{input} within backquotes": ["echo `cat {input}`", 'echo "`cat {input}`"', "echo `cat '{input}'`"],
    "backslash before {input}": [r"echo \{input}", r'echo "\{input}"'],
    "{input} in a comment": ["echo a # {input}", "# {input}\ntrue", "(echo a;# it's {input}\n)"],
    "{input} in a here-document": [
        "cat <<end > {output}\n{input}\nend",
        "cat <<-'end' > {output}\n\t{input}\n\tend\n",
        "cat << a; cat <<b\nx\na\n{input}\nb",
    ],
}


@pytest.mark.parametrize(
    ("told", "command"), [(told, line) for told in MISPLACED for line in MISPLACED[told]]
)
def test_fields_where_no_quoting_holds_are_refused(told: str, command: str) -> None:
    (problem,) = workload(command, "x").problems()
    assert told in problem


RIGHT = [
    "show \"a\" {input} 'b'",
    r"show \"{input}\"",
    "show '\"' {input}",
    'show "$(printf %s {input})"',
    'show "$(printf %s "$(printf %s {input})")"',
    'x="$(printf %s {input} | cat)"; show "$x" "it\'s"',
    "true # don't\nshow {input}",
    "show a#'b' $# {input}",
    "show $((1 << 2)) {input}",
    "show $(( (1 + 2) << 1 )) {input}",
    "cat <<end >&2\nit's \"\nend\nshow {input}",
    'x={input}; show "$(cat <<end\n$x\nend\n)" {input}',
    "(show {input})",
    r"show \\{input}",
]


@pytest.mark.parametrize("command", RIGHT)
@pytest.mark.parametrize("name", ['it\'s "a" $(id) `id` \\ #b.txt', "a\nb ) ' .txt"])
def test_a_command_that_is_accepted_sees_the_name_wherever_it_stands(command: str, name: str) -> None:
    chosen = workload(command, "x")
    assert chosen.problems() == []
    shown = "".join(words_seen_by_a_command(chosen.for_file(name).command))
    assert name in shown


def test_a_here_string_as_bash_has_it_is_no_here_document() -> None:
    assert workload("cat <<< {input} > {output}\ncat {input}", "x").problems() == []


def test_an_output_whose_name_linux_cannot_hold_is_refused_before_anything_runs() -> None:
    assert workload("x", "{stem}_OUTPUT{suffix}").file_problems("ä" * 126) != []
    assert workload("x", "{stem}_OUTPUT{suffix}").file_problems("a" * 240) == []


def test_files_to_ship_of_one_name_or_a_name_in_use_are_refused(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("a/tool.py", "b/tool.py", "run_files.py", "good.py")]
    for path in paths:
        path.parent.mkdir(exist_ok=True)
        path.touch()
    problems = Workload("test", "x", ("y",), node_files=tuple(paths)).problems()
    assert len(problems) == 2
    assert any("2 files to ship are called 'tool.py'" in problem for problem in problems)
    assert any("run_files.py" in problem and "every task uses itself" in problem for problem in problems)


def test_a_file_shipped_for_files_and_merge_alike_is_no_clash(tmp_path: Path) -> None:
    script = tmp_path / "tool.py"
    script.touch()
    merge = Merge("{name}.part", "x {input}", ("all",), (script,))
    merging = Workload("test", "x > {output} > {part}", ("{stem}.out",), (script,), merge=merge)
    assert merging.problems() == []
    assert merging.shipped == (script,)


def test_a_merge_has_a_part_of_each_file_and_a_command_for_all() -> None:
    merge = Merge("{stem}.part", "cat {input} > {output}", ("all.txt",))
    merging = Workload("test", "x {input} {part}", ("{stem}.out",), merge=merge)
    assert merging.for_file("a b.txt") == FileRun("x 'a b.txt' 'a b.part'", ("a b.out",), (), "a b.part")
    assert merging.merging is not None
    assert merging.merging.for_file("parts.json").command == "cat parts.json > all.txt"


@pytest.mark.parametrize(
    ("merge", "told"),
    [
        (Merge("", "x", ("y",)), "must name one file"),
        (Merge("*.part", "x", ("y",)), "must name one file"),
        (Merge("a/{stem}", "x", ("y",)), "must name one file"),
        (Merge("{what}", "x", ("y",)), "{what}, none of"),
        (Merge("part", "x {what}", ("y",)), "In the merge: The command has {what}"),
        (Merge("part", "x", ()), "In the merge: No output"),
        (Merge("part", "x", ("y",), (Path("/nowhere"),)), "'/nowhere' to ship"),
    ],
)
def test_a_merge_that_cannot_run_is_refused(merge: Merge, told: str) -> None:
    (problem,) = Workload("test", "x {part}", ("y",), merge=merge).problems()
    assert told in problem


def test_a_part_is_unknown_without_a_merge() -> None:
    assert workload("x {part}", "y").problems() != []


@pytest.mark.parametrize("name", ["A B", "1A", "", "a=b", "RUN_FILES", "TASK_FILES_DIR", "AZ_BATCH_TASK_ID"])
def test_environment_settings_that_no_command_could_see_are_refused(name: str) -> None:
    assert len(Workload("test", "x", ("y",), environment={name: "value"}).problems()) == 1


def test_commands_longer_than_batch_takes_are_refused() -> None:
    long = "x" * 32_769
    assert len(Workload("test", long, ("y",), start_task=StartTask(long)).problems()) == 2


def test_a_command_that_prepares_nodes_is_measured_as_it_is_sent() -> None:
    (problem,) = Workload("test", "x", ("y",), start_task=StartTask("'" * 6_600)).problems()
    assert "33013 characters as it is sent, five for each '" in problem
    assert Workload("test", "x", ("y",), start_task=StartTask("'" * 6_500)).problems() == []


def test_an_output_named_twice_is_refused() -> None:
    (problem,) = workload("x", "a", "a").problems()
    assert problem == "The output 'a' is named twice."
    (problem,) = workload("x", "{stem}.gz", "./{stem}{suffix}.gz").file_problems("a")
    assert problem == "Two outputs of 'a' would be called 'a.gz': name them apart."


@pytest.mark.parametrize("text", ["a\0b", "\ud800"])
def test_what_no_process_can_be_told_is_refused(text: str) -> None:
    start_task = StartTask(text)
    chosen = Workload("test", text, (text,), environment={"A": text}, start_task=start_task)
    assert len(chosen.problems()) == 4
    assert all("no process can be told" in problem for problem in chosen.problems())
