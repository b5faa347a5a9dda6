"""Tables that people write for the emulator, in files or requests; and what to call a mistake in one."""

import json
import tomllib
from pathlib import Path
from typing import Any


class Mistake(ValueError):
    """What somebody has written cannot be used; the text says what is wrong, where, and what to write."""


def read_table(path: Path) -> dict[str, Any]:
    """The table in a file: TOML if it is called so, else JSON.

    Raises:
        Mistake: it cannot be read, or it holds something else.
    """
    try:
        text = path.read_text(encoding="utf-8")
        table = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
    except OSError as error:
        raise Mistake(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise Mistake(f"{path} is not {'TOML' if path.suffix == '.toml' else 'JSON'}: {error}") from None
    if not isinstance(table, dict):
        raise Mistake(f"{path} must hold a table of names and values")
    return table
