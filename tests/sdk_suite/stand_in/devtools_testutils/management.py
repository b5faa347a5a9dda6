"""The management plane, as far as Microsoft's preparers use it, on top of the emulator's data plane."""

import os
import time
import urllib.request
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from azure.batch import BatchClient
from azure.batch import models as batch
from azure.core.credentials import AzureNamedKeyCredential

models = SimpleNamespace(
    AllocationState=SimpleNamespace(steady="steady"),
    AutoStorageBaseProperties=SimpleNamespace,
    BatchAccountCreateParameters=SimpleNamespace,
    DeploymentConfiguration=SimpleNamespace,
    ElevationLevel=SimpleNamespace(admin=batch.ElevationLevel.ADMIN),
    FixedScaleSettings=SimpleNamespace,
    ImageReference=batch.BatchVmImageReference,
    InboundEndpointProtocol=SimpleNamespace(Tcp=batch.InboundEndpointProtocol.TCP),
    InboundNatPool=batch.BatchInboundNatPool,
    NetworkConfiguration=batch.NetworkConfiguration,
    Pool=SimpleNamespace,
    PoolEndpointConfiguration=batch.BatchPoolEndpointConfiguration,
    ScaleSettings=SimpleNamespace,
    UserAccount=batch.UserAccount,
    VirtualMachineConfiguration=batch.VirtualMachineConfiguration,
)


class BatchManagementClient:
    """One account, which the emulator is; and its pools."""

    def __init__(self) -> None:
        self.batch_account = SimpleNamespace(
            get=_empty_account, begin_create=_new_account, get_keys=_keys, begin_delete=_removed
        )
        self.pool = SimpleNamespace(create=_create_pool, get=_get_pool, begin_delete=_removed)


def _account() -> SimpleNamespace:
    # Their preparers put https:// before it.
    return SimpleNamespace(name=os.environ["SUITE_ACCOUNT"], account_endpoint=os.environ["SUITE_ADDRESS"])


def _empty_account(*_names: Any) -> SimpleNamespace:
    """Every test gets an account without anything in it: the emulator is emptied at once."""
    address = f"https://{os.environ['SUITE_ADDRESS']}/_emulator/reset"
    request = urllib.request.Request(address, method="POST", headers={"X-Batch-Emulator": "suite"})
    with urllib.request.urlopen(request):
        return _account()


def _new_account(*_parameters: Any) -> SimpleNamespace:
    return SimpleNamespace(result=_empty_account)


def _keys(*_names: Any) -> SimpleNamespace:
    return SimpleNamespace(account_name=os.environ["SUITE_ACCOUNT"], primary=os.environ["SUITE_KEY"])


def _removed(*_names: Any) -> SimpleNamespace:
    return SimpleNamespace(wait=lambda: None)


def _with_client(act: Callable[[BatchClient], Any]) -> Any:
    account = _account()
    credential = AzureNamedKeyCredential(account.name, os.environ["SUITE_KEY"])
    with BatchClient(f"https://{account.account_endpoint}", credential) as client:
        return act(client)


def _create_pool(group: str, account: str, name: str, parameters: Any) -> SimpleNamespace:
    size = parameters.scale_settings.fixed_scale.target_dedicated_nodes
    options = batch.BatchPoolCreateOptions(
        id=name,
        vm_size=parameters.vm_size,
        display_name=parameters.display_name,
        user_accounts=parameters.user_accounts,
        virtual_machine_configuration=parameters.deployment_configuration.virtual_machine_configuration,
        network_configuration=parameters.network_configuration,
        target_dedicated_nodes=size,
    )
    _with_client(lambda client: client.create_pool(options))
    return _get_pool(group, account, name)


def _get_pool(_group: str, _account: str, name: str) -> SimpleNamespace:
    # Management answers with a pool only when it is there to be used, so that no test waits for it.
    pool = _with_client(lambda client: client.get_pool(name))
    while pool.allocation_state != "steady":
        time.sleep(1)
        pool = _with_client(lambda client: client.get_pool(name))
    return SimpleNamespace(
        name=name,
        id=name,
        allocation_state=pool.allocation_state,
        current_dedicated_nodes=pool.current_dedicated_nodes,
    )
