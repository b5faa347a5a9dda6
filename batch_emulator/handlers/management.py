"""Azure Resource Manager, as far as pools with an identity need it: the data plane cannot make them.

There is one Batch account in one subscription, and identities that the command line names. Only bearer tokens
let in, never the account's key (documented). Which role a caller has is not asked: there are none here. An
error is a document with `code` and `message`; that the codes are the data plane's is assumed.
"""

import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote

from batch_emulator import auth, errors, events, schema
from batch_emulator.calls import Reply
from batch_emulator.emulator import Emulator
from batch_emulator.handlers.pools import refuse_packages
from batch_emulator.lifecycle import PoolState
from batch_emulator.resources import Document, key
from batch_emulator.tokens import BearerToken
from batch_emulator.wire import creations

PREFIX = "/subscriptions/"
SUBSCRIPTION = "00000000-0000-0000-0000-000000000000"
GROUP = "emulator"
AUDIENCES = frozenset({"https://management.azure.com", "https://management.azure.com/"})
NO_LIMIT = 1_000_000
"""What a quota says that does not exist: there has to be a number."""


@dataclass(frozen=True, slots=True)
class Management:
    """The management plane of the account. `identities` are the resource ids of those that exist."""

    emulator: Emulator
    identities: Iterable[str]
    tokens: BearerToken = field(default=BearerToken(AUDIENCES))

    def answer(self, request: auth.Request, body: Any) -> Reply:
        """Answer one request, refusals too."""
        try:
            auth.authenticate(request, [self.tokens], time.time())
            if not parse_qs(request.raw_query).get("api-version"):
                raise errors.MissingRequiredQueryParameter(QueryParameterName="api-version")
            return self._operation(unquote(request.raw_path))(request, body)
        except errors.BatchError as error:
            details = "".join(f" {name}: {value}" for name, value in error.values.items())
            said = {"code": error.code, "message": error.message + details}
            return Reply(error.status, {"error": said})

    def _operation(self, path: str) -> Callable[[auth.Request, Any], Reply]:
        """What is done at a path; case does not count (documented)."""
        path = path.lower()
        if path == f"{PREFIX}{SUBSCRIPTION}/providers/Microsoft.Batch/batchAccounts".lower():
            return _only("GET", self._accounts)
        if path in self._identities:
            return _only("GET", self._identity)
        if path.rpartition("/")[0] == f"{self._account_id}/pools".lower():
            return _only("PUT", self._make_pool)
        raise errors.ResourceNotFound

    @property
    def _identities(self) -> set[str]:
        return {resource_id.lower() for resource_id in self.identities}

    @property
    def _account_id(self) -> str:
        name = self.emulator.account_name
        return f"{PREFIX}{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.Batch/batchAccounts/{name}"

    def _accounts(self, request: auth.Request, body: Any) -> Reply:
        """The one account, with its quotas."""
        del request, body
        quotas = self.emulator.world.quotas
        given = {
            "dedicatedCoreQuota": quotas.dedicated_cores,
            "lowPriorityCoreQuota": quotas.low_priority_cores,
            "poolQuota": quotas.pools,
            "activeJobAndJobScheduleQuota": quotas.active_jobs,
        }
        properties = {name: NO_LIMIT if most is None else most for name, most in given.items()}
        account = {
            "id": self._account_id,
            "name": self.emulator.account_name,
            "type": "Microsoft.Batch/batchAccounts",
            "properties": {**properties, "dedicatedCoreQuotaPerVMFamilyEnforced": False},
        }
        return Reply(200, {"value": [account]})

    def _identity(self, request: auth.Request, body: Any) -> Reply:
        del body
        resource_id = unquote(request.raw_path)
        ids = {name: value for name, value in user_assigned(resource_id).items() if name != "resourceId"}
        name = resource_id.rpartition("/")[2]
        return Reply(200, {"id": resource_id, "name": name, "properties": ids})

    def _make_pool(self, request: auth.Request, body: Any) -> Reply:
        """Make a pool; one that is there is not changed, which `If-None-Match: *` asks for (documented)."""
        name = unquote(request.raw_path).rpartition("/")[2]
        there = self.emulator.world.account.pools.get(key(name))
        if there is not None and there.state is not PoolState.DELETING:
            if request.headers.get("if-none-match") == "*":
                raise errors.ConditionNotMet
            raise errors.OperationNotImplemented(Operation="change a pool by the management plane")
        asked, properties = _object(body, "the body"), _object(body, "properties", within=True)
        document = schema.check("BatchPoolCreateOptions", data_plane_document(name, properties))
        document = schema.pool_defaults(document)
        refuse_packages(document)
        if "identity" in asked:
            document["identity"] = self._checked(_object(asked, "identity", within=True))
        pool = creations.pool(document, self.emulator.clock.now())
        self.emulator.submit(events.AddPool(pool))
        answer: Document = {
            "id": f"{self._account_id}/pools/{name}",
            "name": name,
            "type": "Microsoft.Batch/batchAccounts/pools",
            "properties": {**properties, "provisioningState": "Succeeded"},
        }
        if "identity" in asked:
            answer["identity"] = asked["identity"]
        return Reply(200, answer, {"ETag": pool.etag})

    def _checked(self, identity: Mapping[str, Any]) -> Document:
        """The identity of a pool as the data plane shows it.

        Raises:
            InvalidPropertyValue: it is of another type, or does not exist.
        """
        wanted = _object(identity, "userAssignedIdentities", within=True)
        if identity.get("type") != "UserAssigned" or not wanted:
            raise errors.InvalidPropertyValue(PropertyName="identity", Reason="Its type is UserAssigned.")
        for resource_id in wanted:
            if resource_id.lower() not in self._identities:
                raise errors.InvalidPropertyValue(
                    PropertyName="identity", PropertyValue=resource_id, Reason="There is no such identity."
                )
        return {"type": "UserAssigned", "userAssignedIdentities": [user_assigned(one) for one in wanted]}


def user_assigned(resource_id: str) -> Document:
    """An identity with the two ids that Microsoft Entra ID has for it; the same each time."""
    ids = (
        uuid.uuid5(uuid.NAMESPACE_URL, f"{resource_id.lower()}#{what}") for what in ("client", "principal")
    )
    client, principal = map(str, ids)
    return {"resourceId": resource_id, "clientId": client, "principalId": principal}


def data_plane_document(name: str, properties: Mapping[str, Any]) -> Document:
    """The properties of a pool in the data plane's words; what it does not know is left for it to refuse.

    Raises:
        InvalidRequestBody: a part is no object.
    """
    rest = dict(properties)
    deployment = dict(_object(rest.pop("deploymentConfiguration", {}), "deploymentConfiguration"))
    machine = dict(_object(deployment.pop("virtualMachineConfiguration", {}), "virtualMachineConfiguration"))
    if "nodeAgentSkuId" in machine:
        machine["nodeAgentSKUId"] = machine.pop("nodeAgentSkuId")
    scale = dict(_object(rest.pop("scaleSettings", {}), "scaleSettings"))
    auto, fixed = scale.pop("autoScale", None), scale.pop("fixedScale", {})
    document = {**rest, **deployment, **scale, "id": name, "virtualMachineConfiguration": machine}
    if auto is None:
        return {**document, **_object(fixed, "fixedScale")}
    words = {"formula": "autoScaleFormula", "evaluationInterval": "autoScaleEvaluationInterval"}
    scaling = {words.get(word, word): value for word, value in _object(auto, "autoScale").items()}
    return {**document, "enableAutoScale": True, **scaling}


def _only(
    method: str, operation: Callable[[auth.Request, Any], Reply]
) -> Callable[[auth.Request, Any], Reply]:
    def act(request: auth.Request, body: Any) -> Reply:
        if request.method != method:
            raise errors.UnsupportedHttpVerb
        return operation(request, body)

    return act


def _object(value: Any, name: str, *, within: bool = False) -> Mapping[str, Any]:
    """A JSON object: the value itself, or its member of that name."""
    if within:
        value = _object(value, "the body").get(name)
    if not isinstance(value, dict):
        raise errors.InvalidRequestBody(Reason=f"{name} must be an object.")
    return value
