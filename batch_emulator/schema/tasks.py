"""What a task is made of: shared by tasks, start tasks and the tasks of a job.

The notation is that of `notation`; names, types and limits are those of api-version 2025-06-01.
"""

MODELS = {
    "BatchTaskCreateOptions": """
        id*:id displayName:str(..1024) exitConditions:ExitConditions commandLine*:command
        containerSettings:BatchTaskContainerSettings resourceFiles:[ResourceFile] outputFiles:[OutputFile]
        environmentSettings:[EnvironmentSetting] affinityInfo:BatchAffinityInfo
        constraints:BatchTaskConstraints requiredSlots:int(1..256) userIdentity:UserIdentity
        multiInstanceSettings:MultiInstanceSettings dependsOn:BatchTaskDependencies
        applicationPackageReferences:[BatchApplicationPackageReference]
    """,
    "BatchTaskGroup": "value*:[BatchTaskCreateOptions](..100)",
    "BatchTask": """
        id! displayName! url! eTag! lastModified! creationTime! exitConditions! state!
        stateTransitionTime! previousState! previousStateTransitionTime! commandLine! containerSettings!
        resourceFiles! outputFiles! environmentSettings! affinityInfo! constraints:BatchTaskConstraints
        requiredSlots! userIdentity! executionInfo! nodeInfo! multiInstanceSettings! stats! dependsOn!
        applicationPackageReferences!
    """,
    "BatchTaskConstraints": "maxWallClockTime:duration retentionTime:duration maxTaskRetryCount:int(-1..)",
    "BatchTaskDependencies": "taskIds:[str(1..64)] taskIdRanges:[BatchTaskIdRange]",
    "BatchTaskIdRange": "start*:int(0..) end*:int(0..)",
    "BatchAffinityInfo": "affinityId*:str(1..)",
    "MultiInstanceSettings": """
        numberOfInstances:int(1..) coordinationCommandLine*:command commonResourceFiles:[ResourceFile]
    """,
    "ExitConditions": """
        exitCodes:[ExitCodeMapping] exitCodeRanges:[ExitCodeRangeMapping] preProcessingError:ExitOptions
        fileUploadError:ExitOptions default:ExitOptions
    """,
    "ExitCodeMapping": "code*:int exitOptions*:ExitOptions",
    "ExitCodeRangeMapping": "start*:int end*:int exitOptions*:ExitOptions",
    "ExitOptions": "jobAction:BatchJobActionKind dependencyAction:DependencyAction",
    "ResourceFile": """
        autoStorageContainerName:str storageContainerUrl:url httpUrl:url blobPrefix:str filePath:str
        fileMode:mode identityReference:BatchNodeIdentityReference
    """,
    "OutputFile": """
        filePattern*:str(1..) destination*:OutputFileDestination
        uploadOptions*:OutputFileUploadConfiguration
    """,
    "OutputFileDestination": "container*:OutputFileBlobContainerDestination",
    "OutputFileBlobContainerDestination": """
        path:str containerUrl*:url identityReference:BatchNodeIdentityReference
        uploadHeaders:[OutputFileUploadHeader]
    """,
    "OutputFileUploadConfiguration": "uploadCondition*:OutputFileUploadCondition",
    "OutputFileUploadHeader": "name*:str value:str",
    "EnvironmentSetting": "name*:str(1..) value:secret",
    "UserIdentity": "username:str autoUser:AutoUserSpecification",
    "AutoUserSpecification": "scope:AutoUserScope elevationLevel:ElevationLevel",
    "BatchTaskContainerSettings": """
        containerRunOptions:str imageName*:str(1..) registry:ContainerRegistryReference
        workingDirectory:ContainerWorkingDirectory
        containerHostBatchBindMounts:[ContainerHostBatchBindMountEntry]
    """,
    "ContainerRegistryReference": """
        username:str password:secret registryServer:str identityReference:BatchNodeIdentityReference
    """,
    "ContainerHostBatchBindMountEntry": "source:ContainerHostDataPath isReadOnly:bool",
    "BatchApplicationPackageReference": "applicationId*:str(1..) version:str",
    "BatchNodeIdentityReference": "resourceId:str",
    "BatchMetadataItem": "name*:str value*:str",
}
