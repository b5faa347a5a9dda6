"""The emulator as a process: its options, what it prints, and that nothing of it is left when it ends."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from azure.batch import BatchClient, models
from azure.core.credentials import AzureNamedKeyCredential

from tests.conformance import scene

COMMAND = [sys.executable, "-m", "batch_emulator"]


@contextmanager
def emulator(*options: str, **environment: str) -> Iterator[tuple["subprocess.Popen[str]", dict[str, str]]]:
    """A running emulator and the settings that it printed."""
    scratch = tempfile.TemporaryDirectory()  # an emulator that is killed leaves its nodes' files
    process = subprocess.Popen(
        [*COMMAND, "--port", "0", *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment, "TMPDIR": scratch.name},
    )
    try:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(3)]
        assert all(line.startswith("export ") for line in lines)
        pairs = (line.removeprefix("export ").strip().split("=", 1) for line in lines)
        yield process, {name: value.strip("'") for name, value in pairs}
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()
        scratch.cleanup()


def client(settings: dict[str, str]) -> BatchClient:
    credential = AzureNamedKeyCredential(settings["AZURE_BATCH_ACCOUNT"], settings["AZURE_BATCH_ACCESS_KEY"])
    return BatchClient(settings["AZURE_BATCH_ENDPOINT"], credential)


def start_sleeper(batch: BatchClient, folder: Path) -> int:
    """Let a task and its grandchild sleep; gives the pid of the grandchild."""
    batch.create_pool(scene.pool_options("pool"))
    batch.create_job(models.BatchJobCreateOptions(id="job", pool_info=models.BatchPoolInfo(pool_id="pool")))
    note = folder / "pid"
    script = f"setsid sleep 600 & echo $! > {note}; sleep 600"
    batch.create_task("job", models.BatchTaskCreateOptions(id="t", command_line=f"/bin/sh -c '{script}'"))
    wait_for(lambda: note.exists() and bool(note.read_text().strip()))
    return int(note.read_text())


def wait_for(met: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not met():
        assert time.monotonic() < end, "it did not come about in time"
        time.sleep(0.02)


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z"


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_signal_ends_it_and_every_process_it_started(end: signal.Signals, tmp_path: Path) -> None:
    with emulator() as (process, settings), client(settings) as batch:
        sleeper = start_sleeper(batch, tmp_path)
        assert alive(sleeper)
        process.send_signal(end)
        code = process.wait(timeout=20)
        wait_for(lambda: not alive(sleeper))
        assert code == (-signal.SIGKILL if end == signal.SIGKILL else 0)


def test_it_ends_with_its_parent_when_told_so(tmp_path: Path) -> None:
    with emulator("--exit-with-stdin") as (process, settings), client(settings) as batch:
        sleeper = start_sleeper(batch, tmp_path)
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(timeout=20) == 0
        wait_for(lambda: not alive(sleeper))


def test_the_key_can_come_from_the_environment_and_does_not_reach_tasks(tmp_path: Path) -> None:
    with emulator(AZURE_BATCH_ACCESS_KEY="c2VjcmV0IGtleQ==") as (_, settings), client(settings) as batch:
        assert settings["AZURE_BATCH_ACCESS_KEY"] == "c2VjcmV0IGtleQ=="
        batch.create_pool(scene.pool_options("pool"))
        batch.create_job(
            models.BatchJobCreateOptions(id="job", pool_info=models.BatchPoolInfo(pool_id="pool"))
        )
        batch.create_task("job", models.BatchTaskCreateOptions(id="t", command_line="/usr/bin/env"))
        wait_for(lambda: batch.get_task("job", "t").state == "completed")
        text = b"".join(batch.download_task_file("job", "t", "stdout.txt")).decode()
        assert "AZ_BATCH_TASK_ID=t" in text
        assert "c2VjcmV0" not in text


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows the environment of processes")
def test_the_key_is_in_no_environment_that_another_process_can_read() -> None:
    key = "c2VjcmV0IGtleQ=="
    with emulator(AZURE_BATCH_ACCESS_KEY=key) as (process, _):
        launchers = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        assert launchers
        for pid in launchers:
            assert key.encode() not in Path(f"/proc/{pid}/environ").read_bytes()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux closes a process to its own user")
def test_the_emulator_closes_itself_to_others() -> None:
    program = """if True:
        import ctypes, sys
        from batch_emulator import __main__ as command
        command._serve = lambda *_: sys.exit(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))  # PR_GET_DUMPABLE
        command.main([])
    """
    assert subprocess.run([sys.executable, "-c", program], timeout=60, check=False).returncode == 0


def test_each_start_without_a_key_makes_another_one() -> None:
    with emulator() as (_, one), emulator() as (_, other):
        assert one["AZURE_BATCH_ACCESS_KEY"] != other["AZURE_BATCH_ACCESS_KEY"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--host", "0.0.0.0"], "--allow-remote"),
        (["--host", "example.org"], "IP address"),
        (["--port", "70000"], "0 to 65535"),
        (["--tls-cert", "cert.pem"], "go together"),
        (["--account-key", "not base64!"], "base64"),
    ],
)
def test_a_command_line_that_makes_no_sense_is_refused_with_the_remedy(options: list[str], said: str) -> None:
    process = subprocess.run([*COMMAND, *options], capture_output=True, text=True, timeout=30, check=False)
    assert process.returncode == 2
    assert said in process.stderr
    assert process.stdout == ""


def test_it_serves_https_with_a_given_certificate(tmp_path: Path) -> None:
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert],
        check=True,
        capture_output=True,
    )  # fmt: skip
    with emulator("--tls-cert", str(cert), "--tls-key", str(key)) as (_, settings):
        endpoint = settings["AZURE_BATCH_ENDPOINT"]
        assert endpoint.startswith("https://127.0.0.1:")
        credential = AzureNamedKeyCredential(
            settings["AZURE_BATCH_ACCOUNT"], settings["AZURE_BATCH_ACCESS_KEY"]
        )
        with BatchClient(endpoint, credential, connection_verify=str(cert)) as batch:
            assert list(batch.list_pools()) == []
