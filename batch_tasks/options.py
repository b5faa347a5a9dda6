"""The settings a flow offers, as pydantic groups: Prefect's form shows titles, help and bounds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from batch_tasks.failures import FailureKind
from batch_tasks.naming import RunNames

_ZeroIfNone = Annotated[float, BeforeValidator(lambda number: 0 if number is None else number)]
"""Prefect's form has a plain field for a number, and two tabs for one that may be absent."""

_IDENTITY = (
    "(/[sS]ubscriptions/[^/]+/[rR]esource[gG]roups/[^/]+/providers/[mM]icrosoft[.][mM]anaged[iI]dentity"
    "/[uU]ser[aA]ssigned[iI]dentities/[A-Za-z0-9_-]{3,128})?"
)
"""A resource id, in the cases that Azure's tools write it. Prefect's form knows no case-blind patterns."""


_LONGEST_SIGNED = 160
"""Hours: URLs signed without a storage key last 7 days (documented), and are to outlast the run."""


DedicatedNodes = Annotated[
    int,
    Field(
        ge=0,
        le=1000,
        title="Dedicated nodes",
        description="At most this many; never more than the tasks fill.",
    ),
]
SpotNodes = Annotated[
    int,
    Field(
        ge=0,
        le=1000,
        title="Spot nodes",
        description="At most this many nodes which are cheaper but may be taken away at any time.",
    ),
]


class PoolOptions(BaseModel):
    """How many compute nodes a run may have, and for how long."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["ephemeral", "named", "existing", "auto"] = Field(
        "ephemeral",
        title="Kind of pool",
        description="ephemeral: this run's own, deleted with it. named: kept for other runs of the same "
        "settings, made if absent, at zero nodes when idle. existing: used as it is, never changed. auto: "
        "made by Batch for the job and deleted with it.",
    )
    pool_id: str = Field(
        "",
        title="Pool id",
        description="Of a named or existing pool.",
        pattern=r"^[A-Za-z0-9_-]{0,64}$",
    )
    vm_size: str = Field(
        "standard_d2s_v5",
        title="VM size",
        description="Azure's name of the virtual machine size of each node.",
        pattern=r"^[A-Za-z0-9_-]{1,64}$",
    )
    dedicated_nodes: DedicatedNodes = 2
    spot_nodes: SpotNodes = 0
    task_slots_per_node: int = Field(
        1, ge=1, le=256, title="Tasks at once per node", description="At most four times the node's cores."
    )
    max_hours: float = Field(
        24.0,
        gt=0,
        le=720,
        title="Hours at most",
        description="After this the run ends and its pool falls to zero nodes, even if nobody is there. Over "
        "160 only with an identity.",
    )
    max_cost: _ZeroIfNone = Field(
        0.0,
        ge=0,
        title="Cost at most",
        description="In the currency of the price table. Once nodes have cost this the run ends; what is "
        "done is kept. All nodes of a pool count, those that work for others too. 0: no limit.",
    )
    expected_minutes: _ZeroIfNone = Field(
        0.0,
        ge=0,
        title="Minutes per file",
        description="How long a file takes, as you expect: only for the estimate of the cost. 0: not known.",
    )
    prices: str = Field(
        "",
        title="Price table",
        description="A JSON file of prices, or 'retail': today's, asked of Azure's public price service; "
        "else a table of westeurope of 2025-03-04 is used.",
    )
    identity: str = Field(
        "",
        title="Identity",
        description="Resource id of a user-assigned managed identity by which nodes reach storage and "
        "container registry. Empty: by signed URLs.",
        json_schema_extra={"pattern": f"^{_IDENTITY}$"},
    )

    @field_validator("identity")
    @classmethod
    def _identity_by_its_resource_id(cls, identity: str) -> str:
        if not re.fullmatch(_IDENTITY, identity):
            raise ValueError(
                "identity is the resource id of a user-assigned managed identity: /subscriptions/.../"
                "resourceGroups/.../providers/Microsoft.ManagedIdentity/userAssignedIdentities/<name>, as "
                "`az identity show --query id` tells it."
            )
        return identity

    @field_validator("vm_size")
    @classmethod
    def _vm_size_in_one_case(cls, vm_size: str) -> str:
        """Azure knows no case in it, but the prices and the settings of a named pool are told apart by it."""
        return vm_size.lower()

    @model_validator(mode="after")
    def _some_node(self) -> Self:
        if self.dedicated_nodes + self.spot_nodes < 1:
            raise ValueError(
                "dedicated_nodes and spot_nodes are both 0: nothing could run. Allow at least one node."
            )
        return self

    @model_validator(mode="after")
    def _pool_named_where_it_has_a_name(self) -> Self:
        if self.shared and not self.pool_id:
            raise ValueError(f"pool_id is missing: say which pool of kind {self.kind!r} to use.")
        if self.pool_id and not self.shared:
            raise ValueError(
                f"pool_id is {self.pool_id!r}, but a pool of kind {self.kind!r} is given its id: leave it "
                "out, or set kind to 'named' or 'existing'."
            )
        if RunNames.parse(self.pool_id):
            raise ValueError(
                f"pool_id {self.pool_id!r} is what one run's own pool is called: choose another."
            )
        return self

    @model_validator(mode="after")
    def _no_longer_than_urls_last(self) -> Self:
        if self.max_hours > _LONGEST_SIGNED and not self.identity:
            raise ValueError(
                f"max_hours is {self.max_hours:g}, but the signed URLs that nodes get may last for "
                f"{_LONGEST_SIGNED}: lower it, or set identity, with which nothing is signed."
            )
        return self

    @model_validator(mode="after")
    def _identity_where_a_pool_can_have_one(self) -> Self:
        if self.identity and self.kind == "auto":
            raise ValueError(
                "identity is set, but a pool that Batch makes for a job can have none: set kind to "
                "'ephemeral', 'named' or 'existing'."
            )
        return self

    @property
    def shared(self) -> bool:
        """Whether the pool outlives the run and may serve others: no run deletes it."""
        return self.kind in {"named", "existing"}


class CleanUpPolicy(BaseModel):
    """What the end of a run deletes of what it made."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pool: bool = Field(
        True, title="Delete the pool", description="A kept pool still falls to zero nodes by itself."
    )
    job: bool = Field(
        True, title="Delete the job", description="A kept job is ended; its tasks can be looked at."
    )
    input_container: bool = Field(
        True, title="Delete the input container", description="The uploaded copies of the input files."
    )
    output_container: bool = Field(
        True,
        title="Delete the output container",
        description="The outputs in storage; those retrieved stay here.",
    )

    @property
    def kept(self) -> frozenset[str]:
        """The names of the fields that are not to be deleted."""
        return frozenset(name for name, deleted in self if not deleted)


class SpotPoolOptions(PoolOptions):
    """A pool of Spot nodes alone, unless more is asked for."""

    dedicated_nodes: DedicatedNodes = 0
    spot_nodes: SpotNodes = 5


class OutputsKept(CleanUpPolicy):
    """Leaves the outputs in storage, unless asked not to."""

    output_container: bool = Field(
        False,
        title="Delete the output container",
        description="The outputs in storage; those retrieved stay here.",
    )


class RetryOptions(BaseModel):
    """How often a file that failed is given to a new Batch task, by whose fault it was."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    infra: int = Field(
        3,
        ge=0,
        le=20,
        title="Node or service",
        description="New tasks for a file that failed by a fault of its node or of Azure Batch.",
    )
    input: int = Field(
        1, ge=0, le=20, title="Input", description="The same where its input could not be fetched."
    )
    output: int = Field(
        2, ge=0, le=20, title="Output", description="The same where its outputs could not be stored."
    )
    user: int = Field(
        0, ge=0, le=20, title="Command", description="The same where its command failed, with any exit code."
    )
    exit: Mapping[Annotated[int, Field(ge=1, le=255)], Annotated[int, Field(ge=0, le=20)]] = Field(
        {}, title="Exit codes", description='The same by exit code, such as {"75": 2}.'
    )
    dedicated_after: int = Field(
        3,
        ge=0,
        le=100,
        title="Preemptions",
        description="When Azure has taken Spot nodes from one file so often, the run goes on with dedicated "
        "nodes, which cost more. 0: never.",
    )

    def allowed(self, kind: FailureKind, exit_code: int | None) -> int:
        """How many new tasks a file gets that failed like this."""
        if kind in ("node", "preemption", "service"):
            return self.infra
        if kind == "user":
            return self.exit.get(exit_code, self.user) if exit_code is not None else self.user
        return self.input if kind == "input" else self.output


class RunOptions(BaseModel):
    """Everything about a run that is not the workload and not its input files."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    output_dir: str = "output"
    pool: PoolOptions = PoolOptions()
    clean_up: CleanUpPolicy = CleanUpPolicy()
    retry: RetryOptions = RetryOptions()
    files_per_task: int = Field(1, ge=1, le=500)
    download: bool = True
    check_only: bool = False

    @property
    def deleted(self) -> CleanUpPolicy:
        """What the end of the run deletes: what it made and was not asked to keep."""
        if self.pool.kind == "ephemeral":
            return self.clean_up
        return self.clean_up.model_copy(update={"pool": False})
