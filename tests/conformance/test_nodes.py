"""The official SDK on what can be done to nodes, and on what can be changed of a pool."""

import datetime as dt
from collections.abc import Callable

import pytest
from azure.batch import models
from azure.core.exceptions import (
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
)

from tests.batch_emulator.compute_node.conftest import Container, blob_service, container
from tests.conformance import scene
from tests.conformance.conftest import Batch
from tests.conformance.recorder import Recorder

Unique = Callable[[str], str]

__all__ = ["blob_service", "container"]  # fixtures: a real blob store


def node_of(batch: Batch, pool_id: str) -> models.BatchNode:
    [node] = batch.list_nodes(pool_id)
    assert isinstance(node, models.BatchNode)
    return node


def is_in(batch: Batch, pool_id: str, state: str) -> Callable[[], bool]:
    return lambda: node_of(batch, pool_id).state == state


@pytest.mark.parametrize("option", ["requeue", "terminate", "taskcompletion", "retaineddata"])
def test_a_node_is_rebooted_and_runs_its_start_task_again(batch: Batch, unique: Unique, option: str) -> None:
    start = models.BatchStartTask(command_line="/bin/sh -c 'echo up >> $AZ_BATCH_NODE_SHARED_DIR/boots'")
    with scene.pool(batch, unique("pool"), start_task=start) as pool_id:
        node = node_of(batch, pool_id)
        assert batch.begin_reboot_node(pool_id, node.id, {"nodeRebootOption": option}) == "Succeeded"
        scene.wait_for(is_in(batch, pool_id, "idle"))
        after = node_of(batch, pool_id)
        assert after.id == node.id
        assert after.last_boot_time > node.last_boot_time
        assert after.allocation_time == node.allocation_time
        assert b"".join(batch.download_node_file(pool_id, node.id, "shared/boots")) == b"up\nup\n"


def test_a_reimaged_node_has_lost_its_files(batch: Batch, unique: Unique) -> None:
    start = models.BatchStartTask(command_line="/bin/sh -c 'echo up >> $AZ_BATCH_NODE_SHARED_DIR/boots'")
    with scene.pool(batch, unique("pool"), start_task=start) as pool_id:
        node = node_of(batch, pool_id)
        assert batch.begin_reimage_node(pool_id, node.id, {"nodeReimageOption": "requeue"}) == "Succeeded"
        scene.wait_for(is_in(batch, pool_id, "idle"))
        assert b"".join(batch.download_node_file(pool_id, node.id, "shared/boots")) == b"up\n"


def test_a_node_is_deallocated_and_started(batch: Batch, unique: Unique) -> None:
    with scene.pool(batch, unique("pool")) as pool_id:
        node = node_of(batch, pool_id)
        with pytest.raises(ResourceExistsError, match="OperationInvalidForCurrentState"):
            batch.begin_start_node(pool_id, node.id)
        option = {"nodeDeallocateOption": "terminate"}
        assert batch.begin_deallocate_node(pool_id, node.id, option) == "Succeeded"
        assert node_of(batch, pool_id).state == "deallocated"
        with pytest.raises(ResourceExistsError, match="NodeNotReady"):
            batch.list_node_files(pool_id, node.id)
        assert batch.begin_start_node(pool_id, node.id) == "Succeeded"
        scene.wait_for(is_in(batch, pool_id, "idle"))


def test_a_running_task_goes_back_to_its_queue_when_its_node_reboots(batch: Batch, unique: Unique) -> None:
    with scene.pool(batch, unique("pool")) as pool_id, scene.job(batch, unique("job"), pool_id) as job_id:
        command = "/bin/sh -c 'echo ran >> $AZ_BATCH_NODE_SHARED_DIR/runs; sleep 60'"
        batch.create_task(job_id, models.BatchTaskCreateOptions(id="t", command_line=command))
        node = node_of(batch, pool_id)

        def runs() -> bytes:
            try:
                return b"".join(batch.download_node_file(pool_id, node.id, "shared/runs"))
            except HttpResponseError:
                return b""

        scene.wait_for(lambda: runs() == b"ran\n")
        batch.begin_reboot_node(pool_id, node.id, {"nodeRebootOption": "requeue"})
        scene.wait_for(lambda: runs() == b"ran\nran\n")
        info = batch.get_task(job_id, "t").execution_info
        assert (info.requeue_count, info.retry_count) == (1, 0)
        recent = node_of(batch, pool_id).recent_tasks
        assert [(one.job_id, one.task_id) for one in recent or ()] == [(job_id, "t"), (job_id, "t")]


def test_a_node_that_takes_no_tasks_is_offline(batch: Batch, recorder: Recorder, unique: Unique) -> None:
    with scene.pool(batch, unique("pool")) as pool_id:
        node = node_of(batch, pool_id)
        options = models.BatchNodeDisableSchedulingOptions(node_disable_scheduling_option="terminate")
        batch.disable_node_scheduling(pool_id, node.id, options)
        assert recorder.last.status == 200
        assert recorder.last.headers["dataserviceid"].endswith("/disablescheduling")
        after = batch.get_node(pool_id, node.id)
        assert (after.state, after.scheduling_state) == ("offline", "disabled")
        with pytest.raises(ResourceExistsError, match="NodeAlreadyInTargetSchedulingState"):
            batch.disable_node_scheduling(pool_id, node.id, options)
        assert batch.list_pool_node_counts(filter=f"poolId eq '{pool_id}'")[0].dedicated.offline == 1
        batch.enable_node_scheduling(pool_id, node.id)
        after = batch.get_node(pool_id, node.id)
        assert (after.state, after.scheduling_state) == ("idle", "enabled")
        with pytest.raises(ResourceExistsError, match="NodeAlreadyInTargetSchedulingState"):
            batch.enable_node_scheduling(pool_id, node.id)


def test_users_of_a_node_are_created_replaced_and_deleted(
    batch: Batch, recorder: Recorder, unique: Unique
) -> None:
    with scene.pool(batch, unique("pool")) as pool_id:
        node = node_of(batch, pool_id)
        user = models.BatchNodeUserCreateOptions(name="someone", password="hidden-word", is_admin=True)
        batch.create_node_user(pool_id, node.id, user)
        assert recorder.last.status == 201
        assert recorder.last.headers["location"].endswith(f"/nodes/{node.id}/users/someone")
        with pytest.raises(ResourceExistsError, match="NodeUserExists"):
            batch.create_node_user(pool_id, node.id, user)
        replacement = models.BatchNodeUserReplaceOptions(
            expiry_time=dt.datetime.now(dt.UTC) + dt.timedelta(days=2)
        )
        batch.replace_node_user(pool_id, node.id, "someone", replacement)
        batch.delete_node_user(pool_id, node.id, "someone")
        with pytest.raises(ResourceNotFoundError, match="NodeUserNotFound"):
            batch.replace_node_user(pool_id, node.id, "someone", replacement)
        with pytest.raises(ResourceNotFoundError, match="NodeUserNotFound"):
            batch.delete_node_user(pool_id, node.id, "someone")


def test_endpoints_follow_the_network_configuration(batch: Batch, unique: Unique) -> None:
    rule = models.NetworkSecurityGroupRule(priority=150, access="allow", source_address_prefix="*")
    nat_pool = models.BatchInboundNatPool(
        name="web",
        protocol="tcp",
        backend_port=8080,
        frontend_port_range_start=15000,
        frontend_port_range_end=15100,
        network_security_group_rules=[rule],
    )
    network = models.NetworkConfiguration(
        endpoint_configuration=models.BatchPoolEndpointConfiguration(inbound_nat_pools=[nat_pool]),
        public_ip_address_configuration=models.BatchPublicIpAddressConfiguration(
            ip_families=["IPv4", "IPv6"]
        ),
    )
    with scene.pool(
        batch, unique("pool"), network_configuration=network, target_dedicated_nodes=2
    ) as pool_id:
        first, second = batch.list_nodes(pool_id)
        web, ssh = first.endpoint_configuration.inbound_endpoints
        assert (web.name, web.protocol, web.frontend_port, web.backend_port) == ("web.0", "tcp", 15000, 8080)
        assert (ssh.name, ssh.backend_port) == ("SSHRule.0", 22)
        assert second.endpoint_configuration.inbound_endpoints[0].frontend_port == 15001
        assert first.ipv6_address != second.ipv6_address
        login = batch.get_node_remote_login_settings(pool_id, first.id)
        assert (login.remote_login_ip_address, login.remote_login_port) == ("127.0.0.1", ssh.frontend_port)
        assert login.ipv6_remote_login_ip_address is not None
        assert login.ipv6_remote_login_port == ssh.frontend_port
        echoed = batch.get_pool(pool_id).network_configuration
        assert echoed.endpoint_configuration.inbound_nat_pools[0].name == "web"


def test_the_extensions_of_a_pool_are_on_its_nodes_beside_the_services_own(
    batch: Batch, unique: Unique
) -> None:
    extension = models.VMExtension(
        name="vault",
        type="KeyVaultForLinux",
        publisher="Microsoft.Azure.KeyVault",
        type_handler_version="1.0",
        protected_settings={"word": "hidden-word"},
    )
    options = scene.pool_options(unique("pool"))
    assert options.virtual_machine_configuration is not None
    options.virtual_machine_configuration.extensions = [extension]
    batch.create_pool(options)
    scene.wait_for(is_in_list(batch, options.id))
    node = node_of(batch, options.id)
    listed = batch.list_node_extensions(options.id, node.id)
    assert [one.vm_extension.name for one in listed] == ["vault", "batchNodeExtension"]
    assert listed[0].vm_extension.protected_settings is None
    got = batch.get_node_extension(options.id, node.id, "batchNodeExtension")
    assert (got.vm_extension.publisher, got.vm_extension.type) == (
        "Microsoft.Azure.Extensions",
        "CustomScript",
    )
    with pytest.raises(ResourceNotFoundError):
        batch.get_node_extension(options.id, node.id, "other")
    batch.begin_delete_pool(options.id)


def is_in_list(batch: Batch, pool_id: str) -> Callable[[], bool]:
    return lambda: len(batch.list_nodes(pool_id)) == 1


def test_the_logs_of_a_node_land_in_the_container(batch: Batch, unique: Unique, container: Container) -> None:
    start = models.BatchStartTask(command_line="/bin/sh -c 'echo from the start task'")
    with scene.pool(batch, unique("pool"), start_task=start) as pool_id:
        node = node_of(batch, pool_id)
        options = models.UploadBatchServiceLogsOptions(
            container_url=container.with_sas("w"),
            start_time=dt.datetime.now(dt.UTC) - dt.timedelta(minutes=5),
        )
        result = batch.upload_node_logs(pool_id, node.id, options)
        assert result.number_of_files_uploaded == 3
        assert result.virtual_directory_name.startswith(f"{pool_id}/{node.id}/")
        scene.wait_for(lambda: len(container.names()) == 3)
        below = result.virtual_directory_name
        assert container.get(f"{below}/startup/stdout.txt") == b"from the start task\n"
        assert f"node {node.id} allocated" in container.get(f"{below}/volatile/agent.log").decode()


def test_logs_of_a_time_before_the_node_are_none(batch: Batch, unique: Unique) -> None:
    with scene.pool(batch, unique("pool")) as pool_id:
        long_ago = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
        options = models.UploadBatchServiceLogsOptions(
            container_url="http://127.0.0.1:9/c?sig=x", start_time=long_ago, end_time=long_ago
        )
        result = batch.upload_node_logs(pool_id, node_of(batch, pool_id).id, options)
        assert result.number_of_files_uploaded == 0


def test_a_pool_is_patched_and_its_properties_are_replaced(
    batch: Batch, recorder: Recorder, unique: Unique
) -> None:
    start = models.BatchStartTask(command_line="/bin/true")
    with scene.pool(batch, unique("pool"), start_task=start) as pool_id:
        before = batch.get_pool(pool_id)
        metadata = [models.BatchMetadataItem(name="a", value="b")]
        batch.update_pool(pool_id, models.BatchPoolUpdateOptions(metadata=metadata))
        assert recorder.last.status == 200
        patched = batch.get_pool(pool_id)
        assert patched.etag != before.etag
        assert patched.start_task.command_line == "/bin/true"
        assert patched.metadata[0].value == "b"
        replacement = models.BatchPoolReplaceOptions(
            application_package_references=[], metadata=[models.BatchMetadataItem(name="c", value="d")]
        )
        batch.replace_pool_properties(pool_id, replacement)
        assert recorder.last.status == 204
        replaced = batch.get_pool(pool_id)
        assert replaced.start_task is None
        assert [item.name for item in replaced.metadata] == ["c"]
        with pytest.raises(HttpResponseError, match="ConditionNotMet"):
            batch.update_pool(
                pool_id,
                models.BatchPoolUpdateOptions(metadata=metadata),
                if_unmodified_since=dt.datetime(2020, 1, 1, tzinfo=dt.UTC),
            )


def test_what_needs_an_empty_pool_is_refused_while_there_are_nodes(batch: Batch, unique: Unique) -> None:
    with scene.pool(batch, unique("pool")) as pool_id:
        with pytest.raises(ResourceExistsError, match="OperationNotValidOnPool"):
            batch.update_pool(pool_id, models.BatchPoolUpdateOptions(task_slots_per_node=2))
        batch.begin_resize_pool(pool_id, models.BatchPoolResizeOptions(target_dedicated_nodes=0))
        scene.wait_for(lambda: not batch.list_nodes(pool_id))
        changes = models.BatchPoolUpdateOptions(
            task_slots_per_node=2,
            vm_size="STANDARD_D2_V2",
            task_scheduling_policy=models.BatchTaskSchedulingPolicy(node_fill_type="pack"),
        )
        batch.update_pool(pool_id, changes)
        pool = batch.get_pool(pool_id)
        assert (pool.task_slots_per_node, pool.vm_size) == (2, "standard_d2_v2")
        assert pool.task_scheduling_policy.node_fill_type.lower() == "pack"
        for change in ({"task_slots_per_node": 9}, {"vm_size": "standard_d1_v2", "task_slots_per_node": 5}):
            with pytest.raises(HttpResponseError, match="InvalidPropertyValue"):
                batch.update_pool(pool_id, models.BatchPoolUpdateOptions(**change))


def test_application_packages_that_cannot_exist_are_refused(batch: Batch, unique: Unique) -> None:
    packages = [models.BatchApplicationPackageReference(application_id="app")]
    with pytest.raises(ResourceExistsError, match="InvalidApplicationPackageReferences"):
        batch.create_pool(scene.pool_options(unique("pool"), application_package_references=packages))


@pytest.mark.parametrize(
    "operation", ["enable_node_scheduling", "get_node_remote_login_settings", "list_node_extensions"]
)
def test_what_is_asked_of_a_node_that_is_not_there_is_refused(
    batch: Batch, unique: Unique, operation: str
) -> None:
    with (
        scene.pool(batch, unique("pool"), target_dedicated_nodes=0) as pool_id,
        pytest.raises(ResourceNotFoundError, match="NodeNotFound"),
    ):
        getattr(batch, operation)(pool_id, "nobody")
