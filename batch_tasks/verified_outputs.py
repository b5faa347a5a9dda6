"""What came down whole, written beside the outputs as it comes: a run that is killed need not do it again.

`results.json` tells the same, but only at the end of a run; then this is taken away.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from batch_tasks.report import FileReport, file_as_dict

_NAME = "verified.jsonl"


class VerifiedOutputs:
    """The files of one run whose outputs lie in the output folder, size and MD5 being right.

    One JSON object a line, as in the `files` of `results.json`, in the run's own folder. Threads may note at
    once.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / _NAME
        self._lock = threading.Lock()

    def note(self, file: FileReport) -> None:
        """Remember a file that succeeded. A disk that refuses this costs a retry some work, and no more."""
        if file.state != "succeeded":
            return
        line = json.dumps(file_as_dict(file)) + "\n"
        with suppress(OSError), self._lock:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as lines:
                lines.write(line)

    def read(self) -> Iterator[Mapping[str, Any]]:
        """What was noted; the line that a killed process did not finish is left out."""
        with suppress(OSError):
            for line in self._path.read_text("utf-8", errors="replace").splitlines():
                with suppress(ValueError):
                    yield json.loads(line)

    def forget(self) -> None:
        """Take it away, and its folders where they are empty."""
        with suppress(OSError):
            self._path.unlink(missing_ok=True)
            self._path.parent.rmdir()
            self._path.parent.parent.rmdir()
