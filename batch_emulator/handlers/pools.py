"""The operations on pools."""

from batch_emulator import errors, events, schema
from batch_emulator.calls import Call, Reply, created, done, one
from batch_emulator.handlers.listing import listing
from batch_emulator.node_events import UpdatePool
from batch_emulator.resources import AutoScale, Document, Pool, key
from batch_emulator.scheduler import pools as scheduler_pools
from batch_emulator.scheduler import scaling
from batch_emulator.wire import creations, documents, envelope
from batch_emulator.wire.values import duration, parse_duration


def find(call: Call) -> Pool:
    """The pool that the path names, or PoolNotFound."""
    return call.emulator.world.pool(key(call.path["poolId"]))


def url(call: Call, pool: Pool) -> str:
    """Where the pool is."""
    return f"{call.base_url}/pools/{pool.id}"


def create(call: Call) -> Reply:
    """Create a pool; its nodes come later."""
    document = schema.pool_defaults(schema.check("BatchPoolCreateOptions", call.body))
    refuse_packages(document)
    pool = creations.pool(document, call.now)
    call.emulator.submit(events.AddPool(pool))
    return created(url(call, pool), pool.etag, pool.modified)


def get(call: Call) -> Reply:
    """Show one pool."""
    pool = find(call)
    return one(call, "pools", documents.pool(call.base_url, pool), pool.etag, pool.modified)


def exists(call: Call) -> Reply:
    """Say by the status alone whether there is such a pool."""
    pool = find(call)
    call.check_conditions(pool.etag, pool.modified)
    return Reply(200, None, envelope.version_headers(pool.etag, pool.modified))


def list_all(call: Call) -> Reply:
    """List the pools of the account."""
    return listing(
        call,
        "pools",
        call.emulator.world.account.pools.values(),
        render=lambda pool: documents.pool(call.base_url, pool),
        position=lambda pool: pool.serial,
    )


def delete(call: Call) -> Reply:
    """Begin to delete a pool."""
    pool = find(call)
    call.check_conditions(pool.etag, pool.modified)
    call.emulator.submit(events.DeletePool(key(pool.id)))
    return Reply(202)


def update(call: Call) -> Reply:
    """Change the members of a pool that the body names."""
    pool = find(call)
    call.check_conditions(pool.etag, pool.modified)
    body = schema.check("BatchPoolUpdateOptions", call.body)
    return _change(call, pool, {**pool.document, **body}, frozenset(body), 200)


def replace_properties(call: Call) -> Reply:
    """Change all members of a pool that can change at any time; those left out are removed."""
    pool = find(call)
    body = schema.check("BatchPoolReplaceOptions", call.body)
    kept = {name: value for name, value in pool.document.items() if name not in scheduler_pools.CHANGEABLE}
    return _change(call, pool, {**kept, **body}, frozenset(body), 204)


def _change(call: Call, pool: Pool, document: Document, changed: frozenset[str], status: int) -> Reply:
    refuse_packages(document)
    schema.check_changed_pool(document)
    new = creations.pool(schema.pool_defaults(document), call.now)
    call.emulator.submit(UpdatePool(key(pool.id), new, changed))
    return done(call, status, pool.etag, pool.modified)


def refuse_packages(document: Document) -> None:
    """Refuse application packages: the account has none, for they are made by the management plane.

    Raises:
        InvalidApplicationPackageReferences: the document asks for one.
    """
    for reference in document.get("applicationPackageReferences", ()):
        raise errors.InvalidApplicationPackageReferences(ApplicationId=reference["applicationId"])


def resize(call: Call) -> Reply:
    """Begin to change the number of nodes."""
    pool = find(call)
    call.check_conditions(pool.etag, pool.modified)
    body = schema.check("BatchPoolResizeOptions", call.body)
    call.emulator.submit(
        events.ResizePool(
            pool=key(pool.id),
            dedicated=body.get("targetDedicatedNodes"),
            low_priority=body.get("targetLowPriorityNodes"),
            timeout=parse_duration(body.get("resizeTimeout", "PT15M")) or 0.0,
            disposal=body.get("nodeDeallocationOption", "requeue"),
        )
    )
    return done(call, 202, pool.etag, pool.modified)


def stop_resize(call: Call) -> Reply:
    """Stop a resize that is under way."""
    pool = find(call)
    call.check_conditions(pool.etag, pool.modified)
    call.emulator.submit(events.StopResize(key(pool.id)))
    return done(call, 202, pool.etag, pool.modified)


def enable_auto_scale(call: Call) -> Reply:
    """Let a formula decide the number of nodes."""
    pool = find(call)
    call.check_conditions(pool.etag, pool.modified)
    body = schema.check("BatchPoolEnableAutoScaleOptions", call.body)
    if pool.auto_scale is not None:
        before = pool.auto_scale
        body.setdefault("autoScaleFormula", before.formula)
        body.setdefault("autoScaleEvaluationInterval", duration(before.interval))
    if "autoScaleFormula" not in body:
        raise errors.MissingRequiredProperty(PropertyName="autoScaleFormula")
    call.emulator.submit(events.EnableAutoScale(key(pool.id), creations.auto_scale(body)))
    return done(call, 200, pool.etag, pool.modified)


def disable_auto_scale(call: Call) -> Reply:
    """Leave the number of nodes as it is, to be changed by resizing."""
    pool = find(call)
    call.emulator.submit(events.DisableAutoScale(key(pool.id)))
    return done(call, 200, pool.etag, pool.modified)


def evaluate_auto_scale(call: Call) -> Reply:
    """Tell what a formula would give now, and change nothing."""
    pool = find(call)
    body = schema.check("BatchPoolEvaluateAutoScaleOptions", call.body)
    if pool.auto_scale is None:
        raise errors.OperationNotValidOnPool(Reason="The pool does not have autoscale enabled.")
    trial = AutoScale(body["autoScaleFormula"], pool.auto_scale.interval, samples=pool.auto_scale.samples)
    scaling.try_out(call.emulator.world, pool, trial, call.now)
    document = envelope.element(call.base_url, "autoscalerun", documents.auto_scale_run(trial) or {})
    return Reply(
        200, document, envelope.change_headers(call.base_url + call.raw_path, pool.etag, pool.modified)
    )


def remove_nodes(call: Call) -> Reply:
    """Begin to remove certain nodes."""
    pool = find(call)
    call.check_conditions(pool.etag, pool.modified)
    body = schema.check("BatchNodeRemoveOptions", call.body)
    call.emulator.submit(
        events.RemoveNodes(
            pool=key(pool.id),
            nodes=tuple(body["nodeList"]),
            timeout=parse_duration(body.get("resizeTimeout", "PT15M")) or 0.0,
            disposal=body.get("nodeDeallocationOption", "requeue"),
        )
    )
    return done(call, 202, pool.etag, pool.modified)
