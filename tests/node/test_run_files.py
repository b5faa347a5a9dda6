"""Every file's command runs on its own; what became of each is told, whatever its name and its fate."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).parents[2]
SCRIPT = str(PROJECT / "node" / "run_files.py")
THIS_PYTHON = [sys.executable, "-I", "-S", "-W", "error"]
Entry = dict[str, Any]

AWKWARD_NAMES = [
    "a b.txt",
    " blank at its ends ",
    "-rf",
    "--help",
    "new\nline",
    "tab\tand\rreturn",
    'it\'s "quoted" `twice`',
    "back\\slash",
    "$HOME %PATH% ${x} $(id)",
    "semi;colon & | > < * ? [a] {b} ~ ! #",
    "Erlkönig",
    "e\u0301 decomposed",
    "👩‍🚀",
    "\udcff not UTF-8",
    "...",
    "x" * 200,
]


def entry(
    name: str = "a.txt", command: object = 'cp -- "$FILE_NAME" out', index: int = 0, **more: Any
) -> Entry:
    outputs = [{"find": "out", "keep": f"outputs/{index}"}]
    file = {"name": name, "fetched": f"inputs/{index}", "command": command, "minutes": 1, "outputs": outputs}
    return {**file, **more}


def settings_text(entries: list[Entry], *environment: str) -> str:
    """As the flow writes it: ASCII, with nothing that a node agent would expand."""
    return (
        json.dumps({"environment": environment, "files": entries})
        .replace("$", "\\u0024")
        .replace("%", "\\u0025")
    )


def start(
    folder: Path, entries: list[Entry], python: list[str] | None = None, environment: tuple[str, ...] = ()
) -> subprocess.Popen[str]:
    for number in range(len(entries)):
        (folder / "inputs").mkdir(exist_ok=True)
        (folder / "inputs" / str(number)).write_text(f"content {number}")
    return subprocess.Popen(
        [*(python or THIS_PYTHON), SCRIPT],
        cwd=folder,
        env={**os.environ, "RUN_FILES": settings_text(entries, *environment)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def run(
    folder: Path, entries: list[Entry], python: list[str] | None = None
) -> tuple[int, list[Entry], str, str]:
    """Exit code, outcomes, stdout, stderr. It returns only when no process that holds the latter is left."""
    with start(folder, entries, python) as process:
        stdout, stderr = process.communicate(timeout=60)
    return process.returncode, outcomes(folder), stdout, stderr


def outcomes(folder: Path) -> list[Entry]:
    found: list[Entry] = json.loads((folder / "result.json").read_text())["files"]
    return found


def test_a_file_is_processed_and_its_output_kept(node_python: list[str], tmp_path: Path) -> None:
    code, files, stdout, stderr = run(
        tmp_path, [entry(command="echo said; echo told >&2; cp a.txt out")], node_python
    )
    assert (code, stdout, stderr) == (0, "said\n", "told\n")
    seconds = files[0].pop("seconds")
    assert 0 < seconds < 60
    md5 = hashlib.md5(b"content 0").hexdigest()
    assert files == [
        {
            "name": "a.txt",
            "state": "succeeded",
            "exit_code": 0,
            "reason": "",
            "stderr_tail": "told\n",
            "outputs": [{"keep": "outputs/0", "size": 9, "md5": md5}],
        }
    ]
    assert (tmp_path / "outputs" / "0").read_text() == "content 0"


def test_commands_see_exactly_the_original_names(tmp_path: Path) -> None:
    entries = []
    for index, name in enumerate(AWKWARD_NAMES):
        command = (
            f'cat -- {shlex.quote(name)} > "$FILE_NAME.out" && printf %s "$FILE_NAME" >> "$FILE_NAME.out"'
        )
        outputs = [{"find": f"{name}.out", "keep": f"outputs/{index}"}]
        entries.append(entry(name, command, index, outputs=outputs))
    code, files, _, stderr = run(tmp_path, entries)
    assert (code, stderr) == (0, "")
    assert [file["name"] for file in files] == AWKWARD_NAMES
    for index, name in enumerate(AWKWARD_NAMES):
        kept = (tmp_path / "outputs" / str(index)).read_bytes()
        assert kept == f"content {index}".encode() + os.fsencode(name)


def test_a_failing_file_costs_the_others_nothing(tmp_path: Path) -> None:
    commands = ["exit 3", "cp a.txt out", "kill -9 $$", "true", "exit 143", "exit 200"]
    entries = [entry(command=command, index=index) for index, command in enumerate(commands)]
    entries.append(entry(index=6, fetched="inputs/missing"))
    code, files, _, stderr = run(tmp_path, entries)
    assert code == 1
    assert [(file["exit_code"], file["reason"]) for file in files] == [
        (3, "exit code 3"),
        (0, ""),
        (137, "killed by signal 9"),
        (0, "no output 'out'"),
        (143, "exit code 143, as of signal 15"),
        (200, "exit code 200"),
        (None, "input 'inputs/missing' was not fetched"),
    ]
    assert [file["state"] for file in files] == ["failed", "succeeded", *["failed"] * 5]
    assert [len(file["outputs"]) for file in files] == [0, 1, 0, 0, 0, 0, 0]
    assert stderr.splitlines()[0] == "run_files: 'a.txt' failed: exit code 3"
    assert len(stderr.splitlines()) == 6


@pytest.mark.parametrize(
    ("command", "exit_code"), [("exit 7", 7), ("kill -9 $$", 137), ("true", 1), ("echo x > out", 0)]
)
def test_a_single_file_gives_the_task_its_exit_code(tmp_path: Path, command: str, exit_code: int) -> None:
    assert run(tmp_path, [entry(command=command)])[0] == exit_code


def test_outputs_are_found_by_pattern_and_keep_their_folders(tmp_path: Path) -> None:
    command = "mkdir -p d/e && echo 1 > 1.gz && echo 2 > d/2.gz && echo 3 > d/e/3.gz && echo 4 > '[4].gz'"
    outputs = [
        {"find": "[4].gz", "keep": "outputs/four"},
        {"glob": "**/*.gz", "keep": "outputs/all/"},
        {"glob": "d/**", "keep": "outputs/d"},
    ]
    code, files, _, _ = run(tmp_path, [entry("input.gz", command, outputs=outputs)])
    assert code == 0
    kept = [output["keep"].removeprefix("outputs/") for output in files[0]["outputs"]]
    assert kept == ["four", "all/1.gz", "all/[4].gz", "all/d/2.gz", "all/d/e/3.gz", "d/d/2.gz", "d/d/e/3.gz"]
    for output in files[0]["outputs"]:
        content = (tmp_path / output["keep"]).read_bytes()
        assert (output["size"], output["md5"]) == (len(content), hashlib.md5(content).hexdigest())


def test_a_pattern_that_only_the_input_matches_is_a_missing_output(tmp_path: Path) -> None:
    _, files, _, _ = run(tmp_path, [entry("a.txt", "true", outputs=[{"glob": "*", "keep": "outputs"}])])
    assert files[0]["reason"] == "no output matches '*'"


def test_a_symbolic_link_is_kept_as_the_file_it_leads_to(tmp_path: Path) -> None:
    assert run(tmp_path, [entry(command="echo x > true-name && ln -s true-name out")])[0] == 0
    kept = tmp_path / "outputs" / "0"
    assert kept.read_text() == "x\n"
    assert not kept.is_symlink()


def test_commands_reach_shipped_files_and_read_nothing(tmp_path: Path) -> None:
    (tmp_path / "shipped").write_text("shipped")
    assert run(tmp_path, [entry(command='cat - "$TASK_FILES_DIR/shipped" > out')])[0] == 0
    assert (tmp_path / "outputs" / "0").read_text() == "shipped"


def test_another_try_starts_afresh_from_the_same_input(tmp_path: Path) -> None:
    outputs = [{"find": "out", "keep": "outputs/0"}, {"glob": "*.log", "keep": "logs"}]
    assert (
        run(tmp_path, [entry(command="touch out left-over; touch $$.log; exit 1", outputs=outputs)])[0] == 1
    )
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "old.log").touch()
    again = "test ! -e left-over && cp a.txt out && touch new.log"
    assert run(tmp_path, [entry(command=again, outputs=outputs)])[0] == 0
    assert [path.name for path in (tmp_path / "logs").iterdir()] == ["new.log"]


def test_only_the_end_of_a_long_stderr_is_told_and_all_of_it_passed_on(tmp_path: Path) -> None:
    command = "printf 'é%.0s' $(seq 50000) >&2; printf '\\377end' >&2; exit 1"
    with start(tmp_path, [entry(command=command)]) as process:
        assert isinstance(process.stderr, io.TextIOWrapper)
        stderr = process.stderr.buffer.read()
        process.wait()
    assert stderr.startswith("é".encode() * 50000 + b"\xffend")
    tail = outcomes(tmp_path)[0]["stderr_tail"]
    assert tail == "é" * 998 + "\ufffdend"


def test_stderr_is_passed_on_while_the_command_runs(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "go")
    command = 'echo early >&2; cat "$TASK_FILES_DIR/go" > out'
    with start(tmp_path, [entry(command=command)]) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "early\n"
        (tmp_path / "go").write_text("now")
        process.communicate(timeout=60)
    assert process.returncode == 0


def test_what_a_command_leaves_running_is_killed_with_its_end(tmp_path: Path) -> None:
    code, files, _, _ = run(tmp_path, [entry(command="sleep 100 & cp a.txt out")])
    assert (code, files[0]["state"]) == (0, "succeeded")


def test_a_command_that_hangs_is_ended_alone_when_its_time_is_over(tmp_path: Path) -> None:
    commands = ["cp a.txt out", "trap '' TERM INT ALRM; echo late >&2; sleep 100 & sleep 100", "cp a.txt out"]
    entries = [entry(command=commands[i], index=i, minutes=0.005 if i == 1 else 1) for i in range(3)]
    code, files, _, stderr = run(tmp_path, entries)
    assert code == 1
    assert [file["state"] for file in files] == ["succeeded", "failed", "succeeded"]
    assert (files[1]["exit_code"], files[1]["reason"]) == (137, "over 0.005 min")
    assert files[1]["stderr_tail"] == "late\n"
    assert "run_files: 'a.txt' failed: over 0.005 min" in stderr


def test_commands_see_the_environment_as_it_was_given(tmp_path: Path) -> None:
    command = 'printf "%s|" "$GREETING" "$EMPTY" "$EQUAL" > out'
    given = ("GREETING=pa$HOME %PATH%\nit's", "EMPTY=", "EQUAL=a=b")
    with start(tmp_path, [entry(command=command)], environment=given) as process:
        process.communicate(timeout=60)
    assert (tmp_path / "outputs" / "0").read_text() == "pa$HOME %PATH%\nit's||a=b|"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_kills_the_command_and_tells_what_is_known(tmp_path: Path, number: signal.Signals) -> None:
    commands = ["cp a.txt out", "trap '' TERM INT; echo started; sleep 100 & wait; sleep 100", "touch never"]
    with start(tmp_path, [entry(command=command, index=i) for i, command in enumerate(commands)]) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        process.send_signal(number)
        process.communicate(timeout=60)
    assert process.returncode == 128 + number
    told = [(file["state"], file["reason"]) for file in outcomes(tmp_path)]
    assert told == [("succeeded", ""), ("failed", f"stopped by signal {number.value}")]


def test_nothing_outlives_a_task_that_is_killed_outright(tmp_path: Path) -> None:
    with start(tmp_path, [entry(command="echo started; sleep 100 & sleep 100")]) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=60)  # ends only when nothing holds the task's stdout any more
    assert process.returncode == -signal.SIGKILL


def output(**values: str) -> Entry:
    return entry(outputs=[values])


@pytest.mark.parametrize(
    ("run_files", "message"),
    [
        (None, "RUN_FILES is not set"),
        ("{", "RUN_FILES is not set, or not JSON: "),
        ("[]", "RUN_FILES must be an object of exactly environment, files"),
        ({"files": []}, "RUN_FILES.files is empty"),
        ({"files": {}}, "RUN_FILES.files must be a list"),
        ({"files": [entry()], "environment": {}}, "RUN_FILES.environment must be a list"),
        ({"files": [entry()], "environment": ["A=\0"]}, "RUN_FILES.environment[0] must be a string"),
        ({"files": [entry(minutes=0)]}, "RUN_FILES.files[0].minutes must be a number over 0, not 0"),
        ({"files": [entry(minutes="1")]}, "RUN_FILES.files[0].minutes must be a number over 0, not '1'"),
        ({"files": [{}]}, "RUN_FILES.files[0] must be an object of exactly name, "),
        ({"files": [entry(extra=1)]}, "RUN_FILES.files[0] must be an object of exactly"),
        ({"files": [entry(), entry("a/b")]}, "RUN_FILES.files[1].name must be a file name, not 'a/b'"),
        ({"files": [entry("..")]}, "RUN_FILES.files[0].name must be a file name, not '..'"),
        ({"files": [entry("")]}, "RUN_FILES.files[0].name must be a string, not empty"),
        ({"files": [entry("a\0")]}, "RUN_FILES.files[0].name must be a string"),
        ({"files": [entry("\ud800")]}, "RUN_FILES.files[0].name must be a string"),
        ({"files": [entry(command=7)]}, "RUN_FILES.files[0].command must be a string"),
        ({"files": [entry(fetched="/etc/passwd")]}, "fetched must be a relative path without '..'"),
        ({"files": [entry(fetched="../secret")]}, "fetched must be a relative path without '..'"),
        ({"files": [entry(outputs={})]}, "RUN_FILES.files[0].outputs must be a list"),
        (
            {"files": [output(find="x")]},
            "RUN_FILES.files[0].outputs[0] must be an object of exactly find, keep",
        ),
        ({"files": [output(glob="x", find="x", keep="k")]}, "an object of exactly glob, keep"),
        (
            {"files": [output(find="a/../../x", keep="k")]},
            "outputs[0].find must be a relative path without '..'",
        ),
        ({"files": [output(glob="/*", keep="k")]}, "outputs[0].glob must be a relative path without '..'"),
        ({"files": [output(find="x", keep="/k")]}, "outputs[0].keep must be a relative path without '..'"),
        ({"files": [output(find="x", keep="./")]}, "outputs[0].keep must be a relative path without '..'"),
        ({"files": [output(find="x", keep="files/k")]}, "RUN_FILES keeps 'files/k' where inputs"),
        ({"files": [output(glob="x", keep="inputs")]}, "RUN_FILES keeps 'inputs' where inputs"),
        ({"files": [output(find="x", keep="result.json")]}, "RUN_FILES keeps 'result.json' where inputs"),
    ],
)
def test_wrong_settings_are_refused_by_name_and_nothing_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run_files: Any, message: str
) -> None:
    monkeypatch.delenv("RUN_FILES", raising=False)
    if isinstance(run_files, dict):
        run_files = {"environment": [], **run_files}
    if run_files is not None:
        monkeypatch.setenv("RUN_FILES", run_files if isinstance(run_files, str) else json.dumps(run_files))
    done = subprocess.run([*THIS_PYTHON, SCRIPT], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 64
    assert message in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_working_directory_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    (tmp_path / "outputs").write_text("in the way")
    with start(tmp_path, [entry()]) as process:
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == 73
    assert "the task's working directory cannot be used: " in stderr


def test_top_n_words_runs_as_the_tasks_run_it(tmp_path: Path) -> None:
    shipped = PROJECT / "node" / "top_n_words.py"
    (tmp_path / "top_n_words.py").write_bytes(shipped.read_bytes())
    name = "it's a $text.txt"
    command = f'{shlex.quote(sys.executable)} "$TASK_FILES_DIR/top_n_words.py" --n 1 -- {shlex.quote(name)}'
    outputs = [{"find": "it's a $text_OUTPUT.txt", "keep": "outputs/0"}]
    code, _, _, stderr = run(tmp_path, [entry(name, command, outputs=outputs)])
    assert (code, stderr) == (0, "")
    assert "content:\t1\n" in (tmp_path / "outputs" / "0").read_text()
