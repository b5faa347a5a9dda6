"""What a job and a job schedule are made of.

The notation is that of `notation`; names, types and limits are those of api-version 2025-06-01.
"""

MODELS = {
    "BatchJobCreateOptions": """
        id*:id displayName:str(..1024) usesTaskDependencies:bool priority:int(-1000..1000)
        allowTaskPreemption:bool maxParallelTasks:int(-1..) constraints:BatchJobConstraints
        jobManagerTask:BatchJobManagerTask jobPreparationTask:BatchJobPreparationTask
        jobReleaseTask:BatchJobReleaseTask commonEnvironmentSettings:[EnvironmentSetting]
        poolInfo*:BatchPoolInfo onAllTasksComplete:BatchAllTasksCompleteMode
        onTaskFailure:BatchTaskFailureMode networkConfiguration:BatchJobNetworkConfiguration
        metadata:[BatchMetadataItem]
    """,
    "BatchJobUpdateOptions": """
        priority:int(-1000..1000) allowTaskPreemption:bool maxParallelTasks:int(-1..)
        constraints:BatchJobConstraints poolInfo:BatchPoolInfo
        onAllTasksComplete:BatchAllTasksCompleteMode metadata:[BatchMetadataItem]
        networkConfiguration:BatchJobNetworkConfiguration
    """,
    "BatchJob": """
        id! displayName! usesTaskDependencies! url! eTag! lastModified! creationTime! state!
        stateTransitionTime! previousState! previousStateTransitionTime! priority:int(-1000..1000)
        allowTaskPreemption:bool maxParallelTasks:int(-1..) constraints:BatchJobConstraints
        jobManagerTask! jobPreparationTask! jobReleaseTask! commonEnvironmentSettings!
        poolInfo*:BatchPoolInfo onAllTasksComplete:BatchAllTasksCompleteMode onTaskFailure!
        networkConfiguration! metadata:[BatchMetadataItem] executionInfo! stats!
    """,
    "BatchJobDisableOptions": "disableTasks*:DisableBatchJobOption",
    "BatchJobTerminateOptions": "terminateReason:str",
    "BatchJobConstraints": "maxWallClockTime:duration maxTaskRetryCount:int(-1..)",
    "BatchJobManagerTask": """
        id*:id displayName:str(..1024) commandLine*:command containerSettings:BatchTaskContainerSettings
        resourceFiles:[ResourceFile] outputFiles:[OutputFile] environmentSettings:[EnvironmentSetting]
        constraints:BatchTaskConstraints requiredSlots:int(1..256) killJobOnCompletion:bool
        userIdentity:UserIdentity runExclusive:bool
        applicationPackageReferences:[BatchApplicationPackageReference] allowLowPriorityNode:bool
    """,
    "BatchJobPreparationTask": """
        id:id commandLine*:command containerSettings:BatchTaskContainerSettings
        resourceFiles:[ResourceFile] environmentSettings:[EnvironmentSetting]
        constraints:BatchTaskConstraints waitForSuccess:bool userIdentity:UserIdentity
        rerunOnNodeRebootAfterSuccess:bool
    """,
    "BatchJobReleaseTask": """
        id:id commandLine*:command containerSettings:BatchTaskContainerSettings
        resourceFiles:[ResourceFile] environmentSettings:[EnvironmentSetting]
        maxWallClockTime:duration(..PT15M) retentionTime:duration userIdentity:UserIdentity
    """,
    "BatchJobNetworkConfiguration": "subnetId*:subnet skipWithdrawFromVNet:bool",
    "BatchPoolInfo": "poolId:id autoPoolSpecification:BatchAutoPoolSpecification",
    "BatchAutoPoolSpecification": """
        autoPoolIdPrefix:prefix poolLifetimeOption*:BatchPoolLifetimeOption keepAlive:bool
        pool:BatchPoolSpecification
    """,
    "BatchJobScheduleCreateOptions": """
        id*:id displayName:str(..1024) schedule*:BatchJobScheduleConfiguration
        jobSpecification*:BatchJobSpecification metadata:[BatchMetadataItem]
    """,
    "BatchJobScheduleUpdateOptions": """
        schedule:BatchJobScheduleConfiguration jobSpecification:BatchJobSpecification
        metadata:[BatchMetadataItem]
    """,
    "BatchJobSchedule": """
        id! displayName! url! eTag! lastModified! creationTime! state! stateTransitionTime! previousState!
        previousStateTransitionTime! schedule:BatchJobScheduleConfiguration
        jobSpecification*:BatchJobSpecification executionInfo! metadata:[BatchMetadataItem] stats!
    """,
    "BatchJobScheduleConfiguration": """
        doNotRunUntil:time doNotRunAfter:time startWindow:duration(PT1M..)
        recurrenceInterval:duration(PT1M..)
    """,
    "BatchJobSpecification": """
        priority:int(-1000..1000) allowTaskPreemption:bool maxParallelTasks:int(-1..)
        displayName:str(..1024) usesTaskDependencies:bool onAllTasksComplete:BatchAllTasksCompleteMode
        onTaskFailure:BatchTaskFailureMode networkConfiguration:BatchJobNetworkConfiguration
        constraints:BatchJobConstraints jobManagerTask:BatchJobManagerTask
        jobPreparationTask:BatchJobPreparationTask jobReleaseTask:BatchJobReleaseTask
        commonEnvironmentSettings:[EnvironmentSetting] poolInfo*:BatchPoolInfo
        metadata:[BatchMetadataItem]
    """,
}
