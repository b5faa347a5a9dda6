"""Prices of today, asked of Azure's public retail price service. It asks for no account and gets no secret.

The request and the answer are as documented for prices.azure.com/api/retail/prices. No api-version is named:
newer ones take the values of a filter by upper and lower case (documented). Nodes run Linux, so rows of
Windows are not theirs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from azure.core import PipelineClient
from azure.core.exceptions import AzureError
from azure.core.rest import HttpRequest, HttpResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from batch_tasks.clouds import PUBLIC
from batch_tasks.money.prices import NodePrice, PriceTable
from batch_tasks.patience import Patience, patiently
from batch_tasks.pools.vm_size import spelled

SERVICE = "https://prices.azure.com/api/retail/prices"
_PATIENCE = Patience(budget=5.0)
_CONNECTED, _ANSWERED = 3, 5  # seconds within which it is to be there
_MOST_PAGES = 3  # of 100 rows; a size has about ten in a region
_NOT_LINUX = re.compile(r"windows|cloud ?services", re.IGNORECASE)
_CHEAP = re.compile(r"\b(spot|low priority)\b", re.IGNORECASE)


class NoRetailPriceError(Exception):
    """The service told no price; the text says why."""


class Row(BaseModel):
    """What is read of a row of the service. `retail_price` is for an hour of one machine."""

    model_config = ConfigDict(frozen=True)

    currency: str = Field(alias="currencyCode", pattern=r"^[A-Z]{3}$")
    retail_price: float = Field(alias="retailPrice", ge=0)
    region: str = Field(alias="armRegionName")
    size: str = Field(alias="armSkuName")
    product: str = Field(alias="productName")
    sku: str = Field(alias="skuName")
    meter: str = Field(alias="meterName")
    unit: str = Field(alias="unitOfMeasure")
    kind: str = Field(alias="type")
    since: datetime = Field(alias="effectiveStartDate")

    @property
    def tier(self) -> str:
        """`spot` or `low priority`, as the names of SKU or meter end; "" for ordinary machines."""
        found = _CHEAP.search(f"{self.sku} {self.meter}")
        return found[1].lower() if found else ""


def region_of(batch_endpoint: str) -> str | None:
    """The region in `https://<account>.<region>.batch.azure.com`; None for any other endpoint."""
    host = urlsplit(batch_endpoint).hostname or ""
    found = re.fullmatch(rf"[^.]+\.([a-z0-9]+)\.{re.escape(PUBLIC.batch)}", host)
    return found[1] if found else None


def query(vm_size: str, region: str) -> str:
    """The filter that asks for one size in one region. Pure."""
    return (
        f"serviceName eq 'Virtual Machines' and armRegionName eq '{region}' "
        f"and armSkuName eq '{spelled(vm_size)}' and priceType eq 'Consumption'"
    )


def node_price(rows: Iterable[Row], vm_size: str, region: str, today: datetime) -> tuple[NodePrice, str]:
    """The price of an hour and its currency. Of several prices the one that came last counts; Spot nodes cost
    Spot's price where there is one, else that of low priority. Pure.

    Raises:
        NoRetailPriceError: no row is an ordinary Linux machine of this size.
    """
    by_tier: dict[str, Row] = {}
    for row in sorted(rows, key=lambda row: row.since):
        ours = row.size.lower() == vm_size.lower() and row.region == region and row.kind == "Consumption"
        if ours and row.unit == "1 Hour" and row.since <= today and not _NOT_LINUX.search(row.product):
            by_tier[row.tier] = row
    if "" not in by_tier:
        raise NoRetailPriceError(f"it has none of {vm_size} in {region}")
    spot = by_tier.get("spot") or by_tier.get("low priority")
    price = NodePrice(dedicated=by_tier[""].retail_price, spot=spot.retail_price if spot else None)
    return price, by_tier[""].currency


def retail_table(vm_size: str, region: str, service: str = SERVICE) -> PriceTable:
    """A table of this size's price in this region, today.

    Raises:
        NoRetailPriceError: the service cannot be reached, refuses, has no such price or makes no sense.
    """
    now = datetime.now(UTC)
    try:
        items = patiently(lambda: _ask(service, query(vm_size, region)), patience=_PATIENCE)
        price, currency = node_price(map(Row.model_validate, items), vm_size, region, now)
    except AzureError as error:
        raise NoRetailPriceError(f"it gave no answer ({_short(error)})") from error
    except (ValidationError, LookupError, TypeError, ValueError) as error:
        raise NoRetailPriceError(f"its answer was not understood ({type(error).__name__})") from error
    return PriceTable(
        date=now.date(), region=region, currency=currency, source=service, per_hour={vm_size.lower(): price}
    )


def _ask(service: str, wanted: str) -> Sequence[Any]:
    """The rows of all pages; each page names the next."""
    rows: list[Any] = []
    with PipelineClient[HttpRequest, HttpResponse](service, policies=[]) as client:
        request = HttpRequest("GET", service, params={"$filter": wanted})
        for _ in range(_MOST_PAGES):
            answer = client.send_request(request, connection_timeout=_CONNECTED, read_timeout=_ANSWERED)
            answer.raise_for_status()
            page = answer.json()
            rows += page["Items"]
            if not (following := page.get("NextPageLink")):
                return rows
            request = HttpRequest("GET", following)
    raise LookupError("more pages than one size can have")


def _short(error: AzureError) -> str:
    return str(getattr(error, "status_code", None) or type(error).__name__)
