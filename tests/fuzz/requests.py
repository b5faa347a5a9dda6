"""Draws requests to all operations: paths, queries, headers, bodies; signed as the official client signs."""

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass
from email.utils import formatdate
from random import Random
from typing import Any
from urllib.parse import quote, urlencode

from batch_emulator.operations import OPERATIONS
from tests.fuzz import bodies

BODIES = {
    "create_pool": "BatchPoolCreateOptions",
    "update_pool": "BatchPoolUpdateOptions",
    "enable_pool_auto_scale": "BatchPoolEnableAutoScaleOptions",
    "evaluate_pool_auto_scale": "BatchPoolEvaluateAutoScaleOptions",
    "resize_pool": "BatchPoolResizeOptions",
    "replace_pool_properties": "BatchPoolReplaceOptions",
    "remove_nodes": "BatchNodeRemoveOptions",
    "create_node_user": "BatchNodeUserCreateOptions",
    "replace_node_user": "BatchNodeUserReplaceOptions",
    "reboot_node": "BatchNodeRebootOptions",
    "reimage_node": "BatchNodeReimageOptions",
    "deallocate_node": "BatchNodeDeallocateOptions",
    "disable_node_scheduling": "BatchNodeDisableSchedulingOptions",
    "upload_node_logs": "UploadBatchServiceLogsOptions",
    "update_job": "BatchJobUpdateOptions",
    "replace_job": "BatchJob",
    "disable_job": "BatchJobDisableOptions",
    "terminate_job": "BatchJobTerminateOptions",
    "create_job": "BatchJobCreateOptions",
    "create_job_schedule": "BatchJobScheduleCreateOptions",
    "update_job_schedule": "BatchJobScheduleUpdateOptions",
    "replace_job_schedule": "BatchJobSchedule",
    "create_task": "BatchTaskCreateOptions",
    "create_task_collection": "BatchTaskGroup",
    "replace_task": "BatchTask",
}
FILTERS = (
    "state eq 'active'",
    "startswith(id, 'id')",
    "executionInfo/exitCode lt 0 or (state ne 'completed' and id gt 'a')",
    "creationTime gt DateTime'2020-01-01'",
    "((((((",
    "id eq",
    "'",
    "not " * 500,
    "startswith(name,'wd/')",
)
HEADERS = {
    "If-Match": ("*", '"0x8D1"', "0x8D1", ""),
    "If-None-Match": ("*", "nothing"),
    "If-Modified-Since": (formatdate(0, usegmt=True), "yesterday"),
    "If-Unmodified-Since": (formatdate(0, usegmt=True), "31 Feb 2020"),
    "ocp-range": ("bytes=0-1", "bytes=5-2", "bytes=-", "bytes=99999999999999999999-", "lines=1"),
    "return-client-request-id": ("true", "maybe"),
    "client-request-id": ("x" * 2000, "1"),
}
FILES = (
    "stdout.txt",
    "wd",
    "wd/note.txt",
    "../../..",
    "startup/wd",
    "workitems",
    "a%b",
    "wd\\..\\x",
    "/etc/passwd",
)
RAW = (
    b"",
    b"GET",
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET /pools HTTP/9.9\r\nHost: x\r\n\r\n",
    b"POST /pools HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n",
    b"POST /pools HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"POST /pools HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
    b"GET /pools?\xff\xfe=%zz HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET http://localhost/pools HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /_emulator/health HTTP/1.0\r\nHost: localhost\r\n\r\n",
    b"GET /_emulator/events?since=-1 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64),
    b"A" * 100_000,
)
"""What is not a request, or hardly one."""

POOL = {
    "vmSize": "standard_d2s_v3",
    "virtualMachineConfiguration": {
        "imageReference": {
            "publisher": "canonical",
            "offer": "0001-com-ubuntu-server-jammy",
            "sku": "22_04-lts",
        },
        "nodeAgentSKUId": "batch.node.ubuntu 22.04",
    },
    "targetDedicatedNodes": 1,
    "taskSlotsPerNode": 2,
}


@dataclass(frozen=True)
class Account:
    """Whose key signs."""

    name: str
    key: str


@dataclass(frozen=True)
class Request:
    """One request, ready to be sent."""

    operation: str
    method: str
    target: str
    headers: dict[str, str]
    content: bytes


class Requests:
    """Draws requests that follow from a seed and from what was seen in the answers."""

    def __init__(self, random: Random, account: Account, unsigned: float = 0.01) -> None:
        self.random = random
        self.account = account
        self.unsigned = unsigned
        self.nodes: list[str] = ["tvmps_none"]

    def draw(self) -> Request:
        """One request to any operation."""
        random = self.random
        if random.random() < 0.3:
            return self._sound()
        operation = random.choice(OPERATIONS)
        path = "/".join(self._segment(one) for one in operation.path.split("/"))
        method = operation.method
        if random.random() < 0.02:
            method, path = (
                random.choice(("GET", "PUT", "BREW", "PATCH")),
                path + random.choice(("/", "/x", "//", "?")),
            )
        query = self._query(operation.name)
        content = self._content(operation.name) if method not in ("GET", "HEAD") else b""
        headers = {name: random.choice(values) for name, values in HEADERS.items() if random.random() < 0.04}
        if content:
            headers["Content-Type"] = random.choice(("application/json; odata=minimalmetadata", "text/plain"))
        self._sign(method, path, query, headers, content)
        return Request(
            operation.name, method, f"{path}?{urlencode(query, errors='replace')}", headers, content
        )

    def _sound(self) -> Request:
        """A request with nothing wrong in it, so that there is something for the others to meet."""
        one, other = self.random.choices(bodies.IDS, k=2)
        task = {"id": one, "commandLine": self.random.choice(bodies.COMMANDS)}
        job = {"poolInfo": {"poolId": other}, "usesTaskDependencies": True}
        schedule = {"recurrenceInterval": "PT1M"}
        sound: tuple[tuple[str, str, str, Any], ...] = (
            ("create_pool", "POST", "/pools", {"id": one, **POOL}),
            ("resize_pool", "POST", f"/pools/{one}/resize", {"targetDedicatedNodes": 2}),
            ("create_job", "POST", "/jobs", {"id": one, **job}),
            (
                "create_job_schedule",
                "POST",
                "/jobschedules",
                {"id": one, "schedule": schedule, "jobSpecification": job},
            ),
            ("create_task", "POST", f"/jobs/{other}/tasks", task),
            ("create_task_collection", "POST", f"/jobs/{other}/addtaskcollection", {"value": [task]}),
            ("list_nodes", "GET", f"/pools/{one}/nodes", None),
            ("list_task_files", "GET", f"/jobs/{one}/tasks/{other}/files", None),
        )
        operation, method, path, body = self.random.choice(sound)
        content = json.dumps(body).encode() if body is not None else b""
        return self.request(operation, method, path, content)

    def request(self, operation: str, method: str, path: str, content: bytes = b"", **others: str) -> Request:
        """This very request, with these headers beside the usual ones."""
        query = {"api-version": "2025-06-01"}
        headers = {name.replace("_", "-"): value for name, value in others.items()}
        if content:
            headers["Content-Type"] = "application/json"
        self._sign(method, path, query, headers, content)
        return Request(operation, method, f"{path}?{urlencode(query)}", headers, content)

    def _segment(self, segment: str) -> str:
        if not segment.startswith("{"):
            return segment
        random = self.random
        if segment == "{nodeId}":
            return quote(random.choice((*self.nodes[-8:], "TVM:x")), safe="")
        if segment == "{filePath}":
            return quote(random.choice(FILES), safe=random.choice(("", "/")))
        name = random.choice(bodies.TEXTS) if random.random() < 0.03 else random.choice(bodies.IDS)
        return quote(name.encode("utf-8", "replace"), safe="")

    def _query(self, operation: str) -> dict[str, str]:
        random = self.random
        versions = ("2025-06-01",) * 12 + (
            "2022-01-01.15.0",
            "2019-08-01.10.0",
            "2018-08-01.7.0",
            "9999-99-99",
            "x",
        )
        query = {"api-version": random.choice(versions)}
        if operation.startswith("list") and random.random() < 0.6:
            options = {
                "$filter": FILTERS,
                "$select": ("id", "id,state", "nothing", "id,,", ","),
                "$expand": ("stats", "stars"),
                "maxresults": ("1", "2", "1000", "0", "-1", "many", "9" * 30),
                "recursive": ("true", "false", "perhaps"),
                "$skiptoken": ("WATV2:x", "1", "\u0000"),
                "startTime": bodies.TIMES,
                "endtime": bodies.TIMES,
            }
            query |= {
                name: random.choice(values) for name, values in options.items() if random.random() < 0.3
            }
        if random.random() < 0.05:
            query["timeOut"] = random.choice(("30", "0", "x", "9" * 40))
        return query

    def _content(self, operation: str) -> bytes:
        random = self.random
        model = BODIES.get(operation)
        if random.random() < 0.03:
            return random.choice((b"{", b"\xff\xfe", b"[" * 50_000, b"nul", b'{"id":1e999}', b'"', b"{}" * 2))
        if model is None:
            return b"" if random.random() < 0.9 else b"{}"
        text = json.dumps(self._fitting(operation, bodies.body(random, model)))
        return text.encode("utf-8", "surrogatepass")

    def _fitting(self, operation: str, drawn: Any) -> Any:
        """Often enough name what there is, so that something comes of it."""
        if isinstance(drawn, dict) and self.random.random() < 0.7:
            if operation == "create_job":
                drawn["poolInfo"] = {"poolId": self.random.choice(bodies.IDS)}
            if operation == "remove_nodes":
                drawn["nodeList"] = self.nodes[-2:]
        return drawn

    def _sign(
        self, method: str, path: str, query: dict[str, str], headers: dict[str, str], content: bytes
    ) -> None:
        headers["ocp-date"] = formatdate(usegmt=True)
        if self.random.random() < self.unsigned:
            headers["Authorization"] = self.random.choice(
                ("SharedKey", "SharedKey a:b", "Bearer x.y.z", "Basic =", "")
            )
            return
        length = "" if method in ("GET", "HEAD") else str(len(content))
        names = (
            "Content-Type",
            "Date",
            "If-Modified-Since",
            "If-Match",
            "If-None-Match",
            "If-Unmodified-Since",
        )
        lines = [method, "", "", length, "", *(headers.get(name, "") for name in names), ""]
        lines += [f"{name}:{headers[name]}" for name in sorted(headers) if "ocp-" in name]
        lines.append(f"/{self.account.name}{path.partition('?')[0]}")
        lines += [f"{name}:{query[name]}" for name in sorted(query) if query[name]]
        text = "\n".join(lines).encode("utf-8", "surrogatepass")
        digest = hmac.new(base64.b64decode(self.account.key), text, hashlib.sha256).digest()
        headers["Authorization"] = f"SharedKey {self.account.name}:{base64.b64encode(digest).decode()}"
