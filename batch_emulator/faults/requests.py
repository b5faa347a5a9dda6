"""Faults of requests: what the caller gets to see instead of, or after, the answer."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import partial

from batch_emulator import errors
from batch_emulator.calls import Call, Reply
from batch_emulator.faults import kinds
from batch_emulator.faults.kinds import RequestFault
from batch_emulator.faults.rules import Rules, like
from batch_emulator.resources import Document
from batch_emulator.wire import envelope

ADD_COLLECTION = "create_task_collection"


class ConnectionDropped(Exception):
    """There shall be no answer: the connection breaks."""


async def answer(rules: Rules, operation: str, handler: Callable[[Call], Reply], call: Call) -> Reply:
    """Carry out an operation, with the faults that strike it.

    Raises:
        ConnectionDropped: the caller gets no answer.
        BatchError: as the faults, or the handler, will have it.
    """
    struck = list(rules.struck(RequestFault, lambda fault: _matches(fault, operation, call)))
    for fault in struck:
        if isinstance(fault, kinds.Slow):
            await asyncio.sleep(fault.seconds)
        _refuse(fault)
    reply = _add_collection(rules, handler, call) if operation == ADD_COLLECTION else handler(call)
    for fault in struck:
        if isinstance(fault, kinds.TimedOut):
            raise errors.OperationTimedOut
        if isinstance(fault, kinds.Dropped):
            raise ConnectionDropped
    return reply


def _matches(fault: RequestFault, operation: str, call: Call) -> bool:
    return (
        fnmatchcase(call.method, fault.method.upper())
        and fnmatchcase(operation, fault.operation)
        and fnmatchcase(call.raw_path, fault.path)
    )


def _refuse(fault: RequestFault) -> None:
    match fault:
        case kinds.Throttled():
            raise errors.TooManyRequests(retry_after=fault.retry_after)
        case kinds.ServerBusy():
            raise errors.ServerBusy(retry_after=fault.retry_after)
        case kinds.InternalError():
            raise errors.InternalError
        case kinds.Denied():
            raise errors.InsufficientAccountPermissions
        case kinds.Dropped(applied=False):
            raise ConnectionDropped


def _add_collection(rules: Rules, handler: Callable[[Call], Reply], call: Call) -> Reply:
    job = call.path["jobId"]
    partial = next(rules.struck(kinds.PartialAdd, lambda fault: like(job, fault.job)), None)
    given = call.body.get("value") if isinstance(call.body, dict) else None
    if not isinstance(given, list):
        return handler(call)
    if partial is not None:
        handler(replace(call, body={**call.body, "value": given[: partial.added]}))
        raise errors.OperationTimedOut
    refused = dict(_refused(rules, job, given))
    if not refused:
        return handler(call)
    accepted = [body for index, body in enumerate(given) if index not in refused]
    reply = handler(replace(call, body={**call.body, "value": accepted}))
    results = iter((reply.document or {})["value"])
    merged = [
        _result(call, given[index]["id"], refused[index]) if index in refused else next(results)
        for index in range(len(given))
    ]
    return replace(reply, document={**(reply.document or {}), "value": merged})


def _refused(rules: Rules, job: str, given: list[object]) -> Iterator[tuple[int, str]]:
    for index, body in enumerate(given):
        task = body.get("id") if isinstance(body, dict) else None
        if not isinstance(task, str):
            continue
        for fault in rules.struck(kinds.TaskServerError, partial(_meets, job, task)):
            yield index, fault.status


def _meets(job: str, task: str, fault: kinds.TaskServerError) -> bool:
    return like(job, fault.job) and like(task, fault.task)


def _result(call: Call, task: str, status: str) -> Document:
    part = envelope.error_part(errors.InternalError(), call.request_id, call.now)
    return {"status": status, "taskId": task, "error": part}
