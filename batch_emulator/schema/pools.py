"""What a pool is made of, apart from its machines; and what is asked of nodes.

The notation is that of `notation`; names, types and limits are those of api-version 2025-06-01.
"""

MODELS = {
    "BatchPoolCreateOptions": """
        id*:id displayName:str(..1024) vmSize*:str(1..)
        virtualMachineConfiguration*:VirtualMachineConfiguration resizeTimeout:duration(PT5M..)
        targetDedicatedNodes:int(0..) targetLowPriorityNodes:int(0..) enableAutoScale:bool
        autoScaleFormula:formula autoScaleEvaluationInterval:duration(PT5M..P7D)
        enableInterNodeCommunication:bool networkConfiguration:NetworkConfiguration
        startTask:BatchStartTask applicationPackageReferences:[BatchApplicationPackageReference](..10)
        taskSlotsPerNode:int(1..256) taskSchedulingPolicy:BatchTaskSchedulingPolicy
        userAccounts:[UserAccount] metadata:[BatchMetadataItem]
        mountConfiguration:[MountConfiguration](..10) upgradePolicy:UpgradePolicy
    """,
    "BatchPoolSpecification": """
        displayName:str(..1024) vmSize*:str(1..) virtualMachineConfiguration*:VirtualMachineConfiguration
        taskSlotsPerNode:int(1..256) taskSchedulingPolicy:BatchTaskSchedulingPolicy
        resizeTimeout:duration(PT5M..) targetDedicatedNodes:int(0..) targetLowPriorityNodes:int(0..)
        enableAutoScale:bool autoScaleFormula:formula autoScaleEvaluationInterval:duration(PT5M..P7D)
        enableInterNodeCommunication:bool networkConfiguration:NetworkConfiguration
        startTask:BatchStartTask applicationPackageReferences:[BatchApplicationPackageReference](..10)
        userAccounts:[UserAccount] metadata:[BatchMetadataItem]
        mountConfiguration:[MountConfiguration](..10) upgradePolicy:UpgradePolicy
    """,
    "BatchPoolUpdateOptions": """
        displayName:str(..1024) vmSize:str(1..) enableInterNodeCommunication:bool startTask:BatchStartTask
        applicationPackageReferences:[BatchApplicationPackageReference](..10) metadata:[BatchMetadataItem]
        virtualMachineConfiguration:VirtualMachineConfiguration taskSlotsPerNode:int(1..256)
        taskSchedulingPolicy:BatchTaskSchedulingPolicy networkConfiguration:NetworkConfiguration
        userAccounts:[UserAccount] mountConfiguration:[MountConfiguration](..10)
        upgradePolicy:UpgradePolicy
    """,
    "BatchPoolReplaceOptions": """
        startTask:BatchStartTask applicationPackageReferences*:[BatchApplicationPackageReference](..10)
        metadata*:[BatchMetadataItem]
    """,
    "BatchPoolResizeOptions": """
        targetDedicatedNodes:int(0..) targetLowPriorityNodes:int(0..) resizeTimeout:duration(PT5M..)
        nodeDeallocationOption:BatchNodeDeallocationOption
    """,
    "BatchPoolEnableAutoScaleOptions": """
        autoScaleFormula:formula autoScaleEvaluationInterval:duration(PT5M..P7D)
    """,
    "BatchPoolEvaluateAutoScaleOptions": "autoScaleFormula*:formula",
    "BatchNodeRemoveOptions": """
        nodeList*:[str](1..100) resizeTimeout:duration(PT5M..)
        nodeDeallocationOption:BatchNodeDeallocationOption
    """,
    "BatchNodeRebootOptions": "nodeRebootOption:BatchNodeRebootKind",
    "BatchNodeReimageOptions": "nodeReimageOption:BatchNodeReimageOption",
    "BatchNodeDeallocateOptions": "nodeDeallocateOption:BatchNodeDeallocateOption",
    "BatchNodeDisableSchedulingOptions": "nodeDisableSchedulingOption:BatchNodeDisableSchedulingOption",
    "BatchNodeUserCreateOptions": """
        name*:str(1..) isAdmin:bool expiryTime:time password:secret sshPublicKey:str
    """,
    "BatchNodeUserReplaceOptions": "password:secret expiryTime:time sshPublicKey:str",
    "UploadBatchServiceLogsOptions": """
        containerUrl*:url startTime*:time endTime:time identityReference:BatchNodeIdentityReference
    """,
    "BatchStartTask": """
        commandLine*:command containerSettings:BatchTaskContainerSettings resourceFiles:[ResourceFile]
        environmentSettings:[EnvironmentSetting] userIdentity:UserIdentity maxTaskRetryCount:int(-1..)
        waitForSuccess:bool
    """,
    "BatchTaskSchedulingPolicy": "jobDefaultOrder:BatchJobDefaultOrder nodeFillType*:BatchNodeFillType",
    "UserAccount": """
        name*:str(1..) password*:secret elevationLevel:ElevationLevel
        linuxUserConfiguration:LinuxUserConfiguration windowsUserConfiguration:WindowsUserConfiguration
    """,
    "LinuxUserConfiguration": "uid:int(0..) gid:int(0..) sshPrivateKey:secret",
    "WindowsUserConfiguration": "loginMode:LoginMode",
    "MountConfiguration": """
        azureBlobFileSystemConfiguration:AzureBlobFileSystemConfiguration
        nfsMountConfiguration:NfsMountConfiguration cifsMountConfiguration:CifsMountConfiguration
        azureFileShareConfiguration:AzureFileShareConfiguration
    """,
    "AzureBlobFileSystemConfiguration": """
        accountName*:str containerName*:str accountKey:secret sasKey:secret blobfuseOptions:str
        relativeMountPath*:str(1..) identityReference:BatchNodeIdentityReference
    """,
    "AzureFileShareConfiguration": """
        accountName*:str accountKey*:secret azureFileUrl*:url relativeMountPath*:str(1..) mountOptions:str
    """,
    "CifsMountConfiguration": """
        username*:str source*:str relativeMountPath*:str(1..) mountOptions:str password*:secret
    """,
    "NfsMountConfiguration": "source*:str relativeMountPath*:str(1..) mountOptions:str",
}
