"""The words under which Prefect's form shows a parameter of a flow; and the parameters that all flows have.

Prefect makes the title of a parameter from its name and its help from the docstring, whatever its annotation
says (measured with 3.8.8). What the annotation adds to the JSON schema it leaves alone: the words go there.
"""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from batch_tasks.options import CleanUpPolicy, PoolOptions, RetryOptions


def parameter(title: str, description: str, **bounds: Any) -> Any:
    """What stands in `Annotated[...]` beside the type; `bounds` are pydantic's, such as `ge=1`."""
    return Field(
        title=title,
        description=description,
        json_schema_extra={"title": title, "description": description},
        **bounds,
    )


InputFile = Annotated[
    str,
    # For Prefect's form alone: it refuses before there is a run whose parameters would keep the signature.
    # Where no form is asked, `find_inputs` says it in a sentence.
    Field(json_schema_extra={"pattern": r"^(?![Hh][Tt][Tt][Pp][Ss]?://.*[?&][Ss][Ii][Gg]=)"}),
]
InputFiles = Annotated[
    list[InputFile],
    parameter(
        "Input files",
        "Files, folders, or patterns such as texts/**/*.txt; URLs of blobs, containers or folders in "
        "storage, which are read where they are; or @list.txt, a file with one of these on each line. A URL "
        "with a signature (SAS) is taken from such a list only: parameters are kept in clear.",
        min_length=1,
    ),
]
OutputDir = Annotated[
    str, parameter("Output folder", "Made if absent; outputs of the same name are replaced.")
]
FilesPerTask = Annotated[
    int,
    parameter(
        "Files per task",
        "How many files one Batch task works on, one after the other; more suit many small files.",
        ge=1,
        le=500,
    ),
]
Download = Annotated[
    bool,
    parameter(
        "Bring outputs here",
        "Off: they stay in storage alone. Then the clean-up must not delete the output container.",
    ),
]
WHAT_POOL_IS = parameter("Pool", "How many compute nodes the run may have, and for how long.")
Pool = Annotated[PoolOptions, WHAT_POOL_IS]
WHAT_CLEAN_UP_IS = parameter("Clean-up", "What the end of the run deletes of what it made.")
CleanUp = Annotated[CleanUpPolicy, WHAT_CLEAN_UP_IS]
Retry = Annotated[
    RetryOptions,
    parameter("Tries", "How often a file that failed is tried again, by whose fault it was."),
]
AccountName = Annotated[
    str,
    BeforeValidator(lambda name: "" if name is None else name),
    parameter(
        "Account",
        "Empty: the environment's Azure account when it is set, else a local stack. "
        "Otherwise 'environment', 'local', or the name of a Prefect block.",
    ),
]
CheckOnly = Annotated[
    bool,
    parameter("Only check", "Look for what would stand in the way of the run, and make nothing."),
]
