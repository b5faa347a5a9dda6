"""Start tasks that put a program on a node, where it is not there already."""

from __future__ import annotations

import shlex

from batch_tasks.workload import StartTask

TRIES = 8
SECONDS_BETWEEN_TRIES = 15


def program_from_apt(program: str, package: str) -> StartTask:
    """Uses the program if the node has it; else installs the Debian package, as administrator.

    Unattended upgrades hold the locks of apt and dpkg for minutes after a node's boot, and package servers
    may be busy: each try waits for dpkg's lock, and a failed one, at apt's other locks too, is repeated.
    """
    asked, wanted = shlex.quote(program), shlex.quote(package)
    apt = "apt-get -q -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3"
    refusal = f"{program} is not on the PATH of this node, and only an administrator can install {package}"
    again = f'if [ "$tries" -ge {TRIES} ]; then exit 1; fi; echo "try $tries of {TRIES} failed" >&2; '
    again += f"tries=$((tries + 1)); sleep {SECONDS_BETWEEN_TRIES}"
    lines = (
        f"if command -v {asked}; then exit 0; fi",
        f'if [ "$(id -u)" != 0 ]; then echo {shlex.quote(refusal)} >&2; exit 1; fi',
        "export DEBIAN_FRONTEND=noninteractive",
        "tries=1",
        f"until {apt} update && {apt} install -y --no-install-recommends {wanted}; do {again}; done",
        f"command -v {asked}",
    )
    return StartTask("; ".join(lines), elevated=True)
