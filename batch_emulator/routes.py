"""Finds the operation that a request means: by its method, and by its path segment for segment."""

from dataclasses import dataclass
from urllib.parse import unquote

from batch_emulator import errors
from batch_emulator.operations import OPERATIONS, Operation


@dataclass(slots=True)
class _Branch:
    """One segment of the paths: what may follow, and the operations that end here by method."""

    fixed: dict[str, "_Branch"]
    placeholder: str
    variable: "_Branch | None"
    operations: dict[str, Operation]


def _new_branch() -> _Branch:
    return _Branch({}, "", None, {})


def _tree(operations: tuple[Operation, ...]) -> _Branch:
    root = _new_branch()
    for operation in operations:
        branch = root
        for segment in operation.path.strip("/").split("/"):
            if segment.startswith("{"):
                branch.placeholder = segment[1:-1]
                branch.variable = branch.variable or _new_branch()
                branch = branch.variable
            else:
                branch = branch.fixed.setdefault(segment, _new_branch())
        branch.operations[operation.method] = operation
    return root


_ROOT = _tree(OPERATIONS)


def route(method: str, raw_path: str) -> tuple[Operation, dict[str, str]]:
    """The operation for a path as it was sent (percent-encoded), and the ids in it, decoded.

    A file path may span several segments: the service takes `wd%2Fa.txt` and `wd/a.txt` alike.

    Raises:
        InvalidUri: no operation has such a path.
        UnsupportedHttpVerb: none has it with this method.
    """
    branch, ids = _ROOT, dict[str, str]()
    segments = raw_path.strip("/").split("/")
    for index, segment in enumerate(segments):
        fixed, variable = branch.fixed.get(segment.lower()), branch.variable
        if fixed is not None:
            branch = fixed
            continue
        if variable is None or not segment:
            raise errors.InvalidUri
        rest_is_a_path = branch.placeholder == "filePath"
        ids[branch.placeholder] = unquote("/".join(segments[index:]) if rest_is_a_path else segment)
        branch = variable
        if rest_is_a_path:
            break
    if not branch.operations:
        raise errors.InvalidUri
    if method not in branch.operations:
        raise errors.UnsupportedHttpVerb
    return branch.operations[method], ids
