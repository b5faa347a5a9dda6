"""Today's prices: what is asked of the retail price service, and what is made of its answers."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import pytest
from pydantic import SecretStr

from batch_tasks.clients import batch_client, signed_in
from batch_tasks.money.bill import prices_for, vm_size_of
from batch_tasks.money.prices import price_table
from batch_tasks.money.retail import NoRetailPriceError, query, region_of, retail_table
from batch_tasks.options import PoolOptions
from batch_tasks.pools.vm_size import spelled
from batch_tasks.settings import Account
from tests.conformance import scene

SIZE = "standard_d2s_v5"
RETAIL = PoolOptions(prices="retail", dedicated_nodes=1)
Pages = list[Any]


def row(price: float, tier: str = "", **more: Any) -> dict[str, Any]:
    """A row in the documented shape."""
    return {
        "currencyCode": "USD",
        "tierMinimumUnits": 0.0,
        "retailPrice": price,
        "unitPrice": price,
        "armRegionName": "westeurope",
        "location": "EU West",
        "effectiveStartDate": "2021-11-01T00:00:00Z",
        "meterId": "a29ad9d9-4d56-5a48-8d9b-dc1b5c5bd5e2",
        "meterName": f"D2s v5{tier}",
        "productId": "DZH318Z08M9T",
        "skuId": "DZH318Z08M9T/00J9",
        "productName": "Virtual Machines Dsv5 Series",
        "skuName": f"Standard_D2s_v5{tier}",
        "serviceName": "Virtual Machines",
        "serviceId": "DZH313Z7MMC8",
        "serviceFamily": "Compute",
        "unitOfMeasure": "1 Hour",
        "type": "Consumption",
        "isPrimaryMeterRegion": True,
        "armSkuName": "Standard_D2s_v5",
        **more,
    }


WINDOWS = "Virtual Machines Dsv5 Series Windows"
ALL = [
    row(0.207, productName=WINDOWS),
    row(0.0414, " Spot", productName=WINDOWS),
    row(0.0828, " Low Priority", productName=WINDOWS),
    row(0.023, " Low Priority"),
    row(0.115),
    row(0.0211, " Spot"),
    row(0.1, productName="Dsv5 Series CloudServices"),
    row(0.05, type="DevTestConsumption"),
    row(900, unitOfMeasure="1 Year"),
    row(0.4, armRegionName="eastus"),
    row(0.5, armSkuName="Standard_D4s_v5"),
    row(0.3, effectiveStartDate="2999-01-01T00:00:00Z"),
    row(0.2, effectiveStartDate="2020-01-01T00:00:00Z"),
]


class Service:
    """Answers as the retail price service does, one page a request; remembers what it was asked."""

    def __init__(self, pages: Pages, status: int) -> None:
        self.asked: list[str] = []
        service = self

        class Answering(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                service.asked.append(self.path)
                page = int(parse_qs(urlsplit(self.path).query).get("$skip", ["0"])[0])
                body = service.body(pages, page)
                self.send_response(status)
                self.send_header("Content-Type", "application/json; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Nothing: the test's output stays its own."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
        self.url = f"http://127.0.0.1:{self._server.server_port}/api/retail/prices"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def body(self, pages: Pages, page: int) -> bytes:
        if not isinstance(pages[page], list):
            return str(pages[page]).encode()
        following = f"{self.url}?$skip={page + 1}" if page + 1 < len(pages) else None
        return json.dumps(
            {
                "BillingCurrency": "USD",
                "CustomerEntityId": "Default",
                "CustomerEntityType": "Retail",
                "Items": pages[page],
                "NextPageLink": following,
                "Count": len(pages[page]),
            }
        ).encode()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


Serve = Callable[..., Service]


@pytest.fixture
def serve() -> Iterator[Serve]:
    with ExitStack() as stack:
        yield lambda *pages, status=200: stack.enter_context(Service(list(pages), status))


@pytest.fixture
def in_europe() -> Iterator[None]:
    """Signed in to an account of which only the name of its endpoint is used."""
    account = Account(
        batch_endpoint="https://mybatch.westeurope.batch.azure.com",
        batch_account="mybatch",
        batch_key=SecretStr("bm9uZQ=="),
        blob_endpoint="https://mystorage.blob.core.windows.net",
        storage_account="mystorage",
        storage_key=SecretStr("bm9uZQ=="),
    )
    with signed_in(account):
        yield


def test_linux_spot_low_priority_and_windows_are_told_apart(serve: Serve) -> None:
    service = serve(ALL)
    table = retail_table(SIZE, "westeurope", service.url)
    prices = table.price("Standard_D2s_v5", dedicated=True), table.price(SIZE, dedicated=False)
    assert prices == (0.115, 0.0211)
    assert (table.region, table.currency, table.source) == ("westeurope", "USD", service.url)
    assert table.valid == f"by prices of westeurope of {datetime.now(UTC):%Y-%m-%d}"
    [asked] = service.asked
    assert parse_qs(urlsplit(asked).query) == {
        "$filter": [
            (
                "serviceName eq 'Virtual Machines' and armRegionName eq 'westeurope' "
                "and armSkuName eq 'Standard_D2s_v5' and priceType eq 'Consumption'"
            )
        ]
    }


def test_without_a_spot_price_that_of_low_priority_counts(serve: Serve) -> None:
    service = serve([one for one in ALL if "Spot" not in one["skuName"]])
    assert retail_table(SIZE, "westeurope", service.url).price(SIZE, dedicated=False) == 0.023


def test_all_pages_are_read(serve: Serve) -> None:
    service = serve(ALL[:4], ALL[4:5], ALL[5:])
    table = retail_table(SIZE, "westeurope", service.url)
    assert (table.price(SIZE, dedicated=True), table.price(SIZE, dedicated=False)) == (0.115, 0.0211)
    assert len(service.asked) == 3


@pytest.mark.parametrize(
    ("pages", "status", "told"),
    [
        ([[]], 200, "it has none of standard_d2s_v5 in westeurope"),
        ([ALL[:4]], 200, "it has none of standard_d2s_v5 in westeurope"),
        ([["a row"]], 200, "its answer was not understood"),
        ([[row(-1)]], 200, "its answer was not understood"),
        ([[row(1, effectiveStartDate="2021-11-01T00:00:00"), *ALL]], 200, "its answer was not understood"),
        (["<html>"], 200, "its answer was not understood"),
        (["[]"], 200, "its answer was not understood"),
        (['{"Items": null}'], 200, "its answer was not understood"),
        ([ALL, ALL, ALL, ALL], 200, "its answer was not understood"),
        ([[]], 400, "it gave no answer (400)"),
    ],
)
def test_what_gives_no_price_is_said(serve: Serve, pages: Pages, status: int, told: str) -> None:
    with pytest.raises(NoRetailPriceError) as failed:
        retail_table(SIZE, "westeurope", serve(*pages, status=status).url)
    assert str(failed.value).startswith(told)


@pytest.mark.usefixtures("in_europe")
def test_a_run_that_asks_for_it_gets_the_price_of_its_region_and_size(serve: Serve) -> None:
    table = prices_for(RETAIL, serve(ALL).url)
    assert (table.region, table.price(SIZE, dedicated=True)) == ("westeurope", 0.115)


@pytest.mark.usefixtures("in_europe")
def test_an_unreachable_service_is_noted_and_the_shipped_table_used(caplog: pytest.LogCaptureFixture) -> None:
    assert prices_for(RETAIL, "http://127.0.0.1:1/api/retail/prices") == price_table()
    assert "No price of today from the retail price service: it gave no answer" in caplog.text
    assert "Amounts are by prices of westeurope of 2025-03-04 instead." in caplog.text


@pytest.mark.usefixtures("in_europe")
def test_spot_nodes_without_a_price_are_noted_and_the_shipped_table_used(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    service = serve([row(0.115)])
    assert prices_for(RETAIL, service.url).source == service.url
    assert caplog.text == ""
    spot = RETAIL.model_copy(update={"spot_nodes": 1})
    assert prices_for(spot, service.url) == price_table()
    assert "it has none of Spot nodes of standard_d2s_v5 in westeurope" in caplog.text


def test_an_endpoint_that_tells_no_region_is_noted(
    account: Account, serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    service = serve(ALL)
    with signed_in(account):
        assert prices_for(RETAIL, service.url) == price_table()
    assert f"the Batch endpoint {account.batch_endpoint} does not tell a region" in caplog.text
    assert service.asked == []


def test_an_existing_pool_tells_its_size_itself(account: Account) -> None:
    with signed_in(account):
        batch_client().create_pool(scene.pool_options("sized"))
        try:
            assert vm_size_of(PoolOptions(kind="existing", pool_id="sized")).lower() == "standard_d1_v2"
        finally:
            batch_client().begin_delete_pool("sized", polling_interval=0)
    assert vm_size_of(RETAIL) == SIZE


def test_the_name_of_the_endpoint_tells_the_region() -> None:
    assert region_of("https://b.northeurope.batch.azure.com") == "northeurope"
    assert region_of("https://b.chinaeast2.batch.chinacloudapi.cn") is None
    assert region_of("https://batch.azure.com.example.org") is None
    assert region_of("http://127.0.0.1:10010") is None


@pytest.mark.parametrize(
    "size",
    ["Standard_NC4as_T4_v3", "Standard_M192idms_v2", "Standard_E8-4ds_v5", "Basic_A1", "Standard_F16s"],
)
def test_a_size_is_asked_for_as_azure_spells_it(size: str) -> None:
    assert spelled(size.lower()) == spelled(size) == size
    assert f"armSkuName eq '{size}'" in query(size.lower(), "uksouth")
