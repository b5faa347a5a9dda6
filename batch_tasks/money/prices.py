"""Prices of nodes: a dated table of one region, which may be replaced. Never today's price as a fact."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from batch_tasks.errors import InputError

SHIPPED = Path(__file__).with_name("westeurope-2025-03-04.json")
"""The table used unless another is given; it names its source."""
RETAIL = "retail"
"""In the place of a file: ask the retail price service."""


class NodePrice(BaseModel):
    """What an hour of a node costs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dedicated: float = Field(ge=0)
    spot: float | None = Field(None, ge=0)


class PriceTable(BaseModel):
    """Prices of one region on one day, by VM size in lower case."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    date: date
    region: str = Field(min_length=1)
    currency: str = Field(pattern=r"^[A-Z]{3}$")
    source: str = Field(min_length=1)
    per_hour: Mapping[str, NodePrice]

    def price(self, vm_size: str, *, dedicated: bool) -> float | None:
        """The price of an hour; None where the table has none."""
        found = self.per_hour.get(vm_size.lower())
        if found is None:
            return None
        return found.dedicated if dedicated else found.spot

    @property
    def name(self) -> str:
        """`the price table of westeurope of 2025-03-04`."""
        return f"the price table of {self.region} of {self.date:%Y-%m-%d}"

    @property
    def valid(self) -> str:
        """Where and when the prices were these: stands beside every amount."""
        return f"by prices of {self.region} of {self.date:%Y-%m-%d}"


def price_table(path: str = "") -> PriceTable:
    """The table in the file; the shipped one when none is named.

    Raises:
        InputError: the file cannot be read, or is no table of prices; the text says where.
    """
    file = Path(path) if path else SHIPPED
    try:
        return PriceTable.model_validate_json(file.read_bytes())
    except OSError as error:
        raise InputError([f"The price table {path!r} cannot be read: {error.strerror}."]) from error
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()[:5])
        raise InputError(
            [f"The price table {path!r} cannot be used: {wrong}. The one in {SHIPPED.name} shows how."]
        ) from None
