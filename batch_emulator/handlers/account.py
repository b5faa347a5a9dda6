"""The operations on the account as a whole: images, counts, usage, applications."""

from batch_emulator import errors, images, usage
from batch_emulator.calls import Call, Reply
from batch_emulator.handlers.listing import listing
from batch_emulator.resources import Document
from batch_emulator.wire import nodes as documents
from batch_emulator.wire.values import parse_timestamp, timestamp

_IMAGES = images.supported()
_PLACES = {id(image): place for place, image in enumerate(_IMAGES)}

EARLIEST_BEFORE = 2.5 * 3600.0
LATEST_BEFORE = 2.0 * 3600.0
"""How long before the present a range of usage metrics begins and ends at the latest (documented)."""


def list_images(call: Call) -> Reply:
    """List the images that pools can be made of. Pools of other images are created all the same."""
    return listing(
        call,
        "supportedimages",
        _IMAGES,
        render=lambda image: image,
        position=lambda image: _PLACES[id(image)],
    )


def list_node_counts(call: Call) -> Reply:
    """Tell how many nodes of each pool are in each state; the entity set's name is assumed."""
    return listing(
        call,
        "poolnodecounts",
        call.emulator.world.account.pools.values(),
        render=documents.node_counts,
        position=lambda pool: pool.serial,
        queried="nodecounts",
    )


def list_usage_metrics(call: Call) -> Reply:
    """List what pools used, in intervals of half an hour; by default only the last one available."""
    begin, end = _range(call)
    found = usage.metrics(call.emulator.world.account.stays.values(), begin, end, call.now)
    places = {id(one): place for place, one in enumerate(found)}
    return listing(call, "poolusagemetrics", found, render=_usage, position=lambda one: places[id(one)])


def _range(call: Call) -> tuple[float, float]:
    query = {name.lower(): value for name, value in call.query.items()}
    begin, end = usage.last_interval(call.now)
    if "starttime" in query:
        begin = _time(call, "startTime", query["starttime"], EARLIEST_BEFORE)
    if "endtime" in query:
        end = _time(call, "endtime", query["endtime"], LATEST_BEFORE)
    return begin, end


def _time(call: Call, name: str, text: str, before: float) -> float:
    try:
        moment = parse_timestamp(text)
    except ValueError as error:
        reason = str(error)
    else:
        if moment <= call.now - before:
            return moment
        reason = f"It must be at least {before / 3600:g} hours before the present."
    raise errors.InvalidQueryParameterValue(
        QueryParameterName=name, QueryParameterValue=text, Reason=reason
    ) from None


def _usage(one: usage.Usage) -> Document:
    return {
        "poolId": one.pool_id,
        "startTime": timestamp(one.start),
        "endTime": timestamp(one.start + usage.INTERVAL),
        "vmSize": one.vm_size,
        "totalCoreHours": one.core_hours,
    }


def list_applications(call: Call) -> Reply:
    """List application packages: there are none, for they are made by the management plane."""
    return listing(call, "applications", list[Document](), render=lambda one: one, position=lambda _: 0)


def get_application(call: Call) -> Reply:
    """Refuse: no application can exist."""
    raise errors.ApplicationNotFound(ApplicationId=call.path["applicationId"])
