"""Times, durations, ETags: what the service writes, and what callers send."""

from datetime import UTC, datetime, timedelta

import pytest
from azure.batch import models
from hypothesis import given
from hypothesis import strategies as st

from batch_emulator.errors import PoolExists, TooManyRequests
from batch_emulator.wire import envelope, values

MOMENT = datetime(2022, 9, 6, 23, 44, 11, tzinfo=UTC).timestamp()
LATEST = datetime(9998, 1, 1, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("fraction", "text"),
    [
        (0.0, "2022-09-06T23:44:11Z"),
        (0.5, "2022-09-06T23:44:11.5Z"),
        (0.168152, "2022-09-06T23:44:11.168152Z"),
    ],
)
def test_a_time_is_written_without_trailing_zeros(fraction: float, text: str) -> None:
    assert values.timestamp(MOMENT + fraction)[:26] == text[:26]


def test_the_time_in_the_text_of_an_error_keeps_its_seven_digits() -> None:
    assert values.timestamp(MOMENT + 0.5, trim=False) == "2022-09-06T23:44:11.5000000Z"


def test_a_fraction_that_rounds_up_carries_into_the_seconds() -> None:
    assert values.timestamp(0.99999999) == "1970-01-01T00:00:01Z"


def test_a_time_before_1970_or_1000_is_written_whole() -> None:
    assert values.timestamp(-0.5) == "1969-12-31T23:59:59.5Z"
    assert values.timestamp(datetime(999, 1, 2, tzinfo=UTC).timestamp()) == "0999-01-02T00:00:00Z"


@given(st.floats(min_value=-6e10, max_value=LATEST))
def test_a_time_that_was_written_reads_back_within_a_tenth_of_a_microsecond(epoch: float) -> None:
    assert values.parse_timestamp(values.timestamp(epoch)) == pytest.approx(epoch, abs=1e-7, rel=1e-15)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2022-09-06T23:44:11Z", MOMENT),
        ("2022-09-06t23:44:11.5000000z", MOMENT + 0.5),
        ("2022-09-07T01:44:11+02:00", MOMENT),
        ("2022-09-06T19:14:11-04:30", MOMENT),
        ("2022-09-06T23:44:11", MOMENT),
        ("2022-09-06", MOMENT - (23 * 3600 + 44 * 60 + 11)),
    ],
)
def test_a_time_is_read_in_every_usual_form(text: str, expected: float) -> None:
    assert values.parse_timestamp(text) == pytest.approx(expected)


@pytest.mark.parametrize(
    "text",
    ["", "tomorrow", "2022-13-01", "2022-02-30T00:00:00Z", "20220906", "2022-09-06T25:00Z", "２022-09-06"],
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"time|day|month|hour|range"):
        values.parse_timestamp(text)


def test_dates_in_headers_have_whole_seconds() -> None:
    assert values.http_date(MOMENT + 0.9) == "Tue, 06 Sep 2022 23:44:11 GMT"
    assert values.parse_http_date("Tue, 06 Sep 2022 23:44:11 GMT") == MOMENT
    assert values.parse_http_date("Tuesday, 06-Sep-22 23:44:11 GMT") == MOMENT


@pytest.mark.parametrize("text", ["", "yesterday", "Tue, 99 Sep 2022 23:44:11 GMT", "2022"])
def test_what_is_no_date_of_a_header_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a time"):
        values.parse_http_date(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (900, "PT15M"),
        (7 * 86400, "P7D"),
        (3600, "PT1H"),
        (93784.25, "P1DT2H3M4.25S"),
        (0, "PT0S"),
        (0.1234567, "PT0.1234567S"),
        (-60, "-PT1M"),
        (None, "P10675199DT2H48M5.4775807S"),
    ],
)
def test_a_duration_is_written_as_the_service_echoes_it(seconds: float | None, text: str) -> None:
    assert values.duration(seconds) == text
    assert values.parse_duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("PT10M00S", 600),
        ("PT01H00M00S", 3600),
        ("P1W", 604800),
        ("PT0.5H", 1800),
        ("PT1,5S", 1.5),
        ("P1M", 30 * 86400),
        ("P1Y", 365 * 86400),
        ("P1DT12H", 129600),
        ("P10675199DT2H48M5.477581S", None),
        ("P10675199DT2H48M5.47758S", None),
    ],
)
def test_a_duration_is_read_in_every_form_that_clients_send(text: str, seconds: float | None) -> None:
    assert values.parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    ["", "P", "PT", "P1DT", "15", "PT15", "1H", "PT1H1D", "PTM", "P-1D", "pt5m", "P99999999D", "PT5M "],
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="it is"):
        values.parse_duration(text)


@given(st.integers(min_value=0, max_value=9 * 10**16))
def test_durations_survive_being_written_and_read(ticks: int) -> None:
    seconds = ticks / 10_000_000
    assert values.parse_duration(values.duration(seconds)) == pytest.approx(seconds, abs=1e-6, rel=1e-15)


# It writes a duration of zero as "P", which neither the service nor ISO 8601 takes.
@given(st.timedeltas(min_value=timedelta(microseconds=1), max_value=timedelta(days=10**6)))
def test_durations_as_the_official_client_writes_them_are_read(length: timedelta) -> None:
    sent = models.BatchTaskConstraints(max_wall_clock_time=length)["maxWallClockTime"]
    assert values.parse_duration(sent) == pytest.approx(length.total_seconds(), abs=1e-6)


def test_an_etag_is_the_recorded_time_of_the_change_in_ticks() -> None:
    assert values.etag(int(MOMENT) * 10**9 + 515_371_100) == "0x8DA9061B2F7BB2F"


@pytest.mark.parametrize("sent", ["0x8D1", '"0x8D1"', 'W/"0x8D1"', "*", '"0x0", "0x8D1"', ' "0x8D1" '])
def test_a_condition_names_an_etag_however_it_is_quoted(sent: str) -> None:
    assert values.same_etag(sent, "0x8D1")


@pytest.mark.parametrize("sent", ["", '""', '"0x8D2"', "0x8D10"])
def test_a_condition_that_names_another_etag_is_not_met(sent: str) -> None:
    assert not values.same_etag(sent, "0x8D1")


def test_one_resource_has_its_metadata_first() -> None:
    body = envelope.element("http://here", "pools", {"id": "p"})
    assert list(body.items()) == [("odata.metadata", "http://here/$metadata#pools/@Element"), ("id", "p")]


def test_a_list_has_a_link_only_when_there_is_more() -> None:
    last = envelope.listing("http://here", "tasks", [{"id": "t"}])
    assert last == {"odata.metadata": "http://here/$metadata#tasks", "value": [{"id": "t"}]}
    assert envelope.listing("http://here", "tasks", [], "http://next")["odata.nextLink"] == "http://next"


def test_an_error_body_is_as_recorded() -> None:
    body = envelope.error_document(
        "https://a.b.batch.azure.com", PoolExists(PoolId="p"), "b89ea3f0", MOMENT + 0.75
    )
    assert body == {
        "odata.metadata": "https://a.b.batch.azure.com/$metadata"
        "#Microsoft.Azure.Batch.Protocol.Entities.Container.errors/@Element",
        "code": "PoolExists",
        "message": {
            "lang": "en-US",
            "value": "The specified pool already exists."
            "\nRequestId:b89ea3f0\nTime:2022-09-06T23:44:11.7500000Z",
        },
        "values": [{"key": "PoolId", "value": "p"}],
    }
    assert "values" not in envelope.error_document("https://a", PoolExists(), "id", MOMENT)


def test_the_callers_request_id_is_returned_on_request_only() -> None:
    sent = {"client-request-id": "abc"}
    assert "client-request-id" not in envelope.common_headers("r", sent)
    headers = envelope.common_headers("r", {**sent, "return-client-request-id": "True"})
    assert headers["client-request-id"] == "abc"
    assert headers["request-id"] == "r"
    assert headers["DataServiceVersion"] == "3.0"


def test_a_creation_says_where_the_resource_is_and_which_version() -> None:
    assert envelope.creation_headers("http://here/pools/p", "0x8D1", MOMENT) == {
        "Location": "http://here/pools/p",
        "DataServiceId": "http://here/pools/p",
        "ETag": "0x8D1",
        "Last-Modified": "Tue, 06 Sep 2022 23:44:11 GMT",
    }


def test_an_error_says_when_to_come_back_in_whole_seconds() -> None:
    assert envelope.error_headers(TooManyRequests(retry_after=1.6)) == {"Retry-After": "2"}
    assert envelope.error_headers(TooManyRequests()) == {}
