"""The enumerations, each value as the service spells it.

Spelled with capitals are those that recorded answers have so (`Spread`, `TaskSuccess`) and those that the
specification has so; `Pack` and the other two upload conditions follow their siblings (assumed).
"""

ENUMS = {
    "AutoUserScope": "task pool",
    "BatchAllTasksCompleteMode": "noaction terminatejob",
    "BatchJobActionKind": "none disable terminate",
    "BatchJobDefaultOrder": "none creationtime",
    "BatchNodeDeallocateOption": "requeue terminate taskcompletion retaineddata",
    "BatchNodeDeallocationOption": "requeue terminate taskcompletion retaineddata",
    "BatchNodeDisableSchedulingOption": "requeue terminate taskcompletion",
    "BatchNodeFillType": "Spread Pack",
    "BatchNodePlacementPolicyType": "regional zonal",
    "BatchNodeRebootKind": "requeue terminate taskcompletion retaineddata",
    "BatchNodeReimageOption": "requeue terminate taskcompletion retaineddata",
    "BatchPoolLifetimeOption": "jobschedule job",
    "BatchTaskFailureMode": "noaction performexitoptionsjobaction",
    "CachingType": "none readonly readwrite",
    "ContainerHostDataPath": "Shared Startup VfsMounts Task JobPrep Applications",
    "ContainerType": "dockerCompatible criCompatible",
    "ContainerWorkingDirectory": "taskWorkingDirectory containerImageDefault",
    "DependencyAction": "satisfy block",
    "DiffDiskPlacement": "cachedisk",
    "DisableBatchJobOption": "requeue terminate wait",
    "DiskEncryptionTarget": "osdisk temporarydisk",
    "DynamicVNetAssignmentScope": "none job",
    "ElevationLevel": "nonadmin admin",
    "HostEndpointSettingsModeTypes": "Audit Enforce",
    "IPFamily": "IPv4 IPv6",
    "InboundEndpointProtocol": "tcp udp",
    "IpAddressProvisioningType": "batchmanaged usermanaged nopublicipaddresses",
    "LoginMode": "batch interactive",
    "NetworkSecurityGroupRuleAccess": "allow deny",
    "OutputFileUploadCondition": "TaskSuccess TaskFailure TaskCompletion",
    "SecurityEncryptionTypes": "DiskWithVMGuestState NonPersistedTPM VMGuestStateOnly",
    "SecurityTypes": "trustedLaunch confidentialvm",
    "StorageAccountType": "standard_lrs premium_lrs standardssd_lrs",
    "UpgradeMode": "automatic manual rolling",
}
