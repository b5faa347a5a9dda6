"""The words under which Prefect's form shows a parameter of a flow.

Prefect makes the title of a parameter from its name and its help from the docstring, whatever its annotation
says (measured with 3.8.8). What the annotation adds to the JSON schema it leaves alone: the words go there.
"""

from typing import Any

from pydantic import Field


def parameter(title: str, description: str, **bounds: Any) -> Any:
    """What stands in `Annotated[...]` beside the type; `bounds` are pydantic's, such as `ge=1`."""
    return Field(
        title=title,
        description=description,
        json_schema_extra={"title": title, "description": description},
        **bounds,
    )
