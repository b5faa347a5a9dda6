"""What the machines of a pool are made of: image, disks, network, upgrades.

The notation is that of `notation`; names, types and limits are those of api-version 2025-06-01.
"""

MODELS = {
    "AutomaticOsUpgradePolicy": """
        disableAutomaticRollback:bool enableAutomaticOSUpgrade:bool useRollingUpgradePolicy:bool
        osRollingUpgradeDeferral:bool
    """,
    "BatchContainerConfiguration": """
        type*:ContainerType containerImageNames:[str] containerRegistries:[ContainerRegistryReference]
    """,
    "BatchDiffDiskSettings": "placement:DiffDiskPlacement",
    "BatchInboundNatPool": """
        name*:natname protocol*:InboundEndpointProtocol backendPort*:int(1..65535)
        frontendPortRangeStart*:int(1..65534) frontendPortRangeEnd*:int(1..65534)
        networkSecurityGroupRules:[NetworkSecurityGroupRule](..25)
    """,
    "BatchNodePlacementConfiguration": "policy:BatchNodePlacementPolicyType",
    "BatchOsDisk": """
        ephemeralOSDiskSettings:BatchDiffDiskSettings caching:CachingType diskSizeGB:int(1..)
        managedDisk:ManagedDisk writeAcceleratorEnabled:bool
    """,
    "BatchPoolEndpointConfiguration": "inboundNATPools*:[BatchInboundNatPool](..5)",
    "BatchPoolIdentityReference": "resourceId:str",
    "BatchPublicIpAddressConfiguration": """
        provision:IpAddressProvisioningType ipFamilies:[IPFamily] ipAddressIds:[str] ipTags:[IPTag]
    """,
    "BatchUefiSettings": "secureBootEnabled:bool vTpmEnabled:bool",
    "BatchVmDiskSecurityProfile": "securityEncryptionType:SecurityEncryptionTypes",
    "BatchVmImageReference": """
        publisher:str offer:str sku:str version:str virtualMachineImageId:image exactVersion!
        sharedGalleryImageId:str communityGalleryImageId:str
    """,
    "DataDisk": "lun*:int(0..63) caching:CachingType diskSizeGB*:int(1..) managedDisk:ManagedDisk",
    "DiskCustomerManagedKey": """
        identityReference:BatchPoolIdentityReference keyUrl:url rotationToLatestKeyVersionEnabled:bool
    """,
    "DiskEncryptionConfiguration": """
        customerManagedKey:DiskCustomerManagedKey targets:[DiskEncryptionTarget]
    """,
    "DiskEncryptionSetParameters": "id:str",
    "HostEndpointSettings": "inVMAccessControlProfileReferenceId:str mode:HostEndpointSettingsModeTypes",
    "IPTag": "ipTagType:str tag:str",
    "ManagedDisk": """
        diskEncryptionSet:DiskEncryptionSetParameters storageAccountType:StorageAccountType
        securityProfile:BatchVmDiskSecurityProfile
    """,
    "NetworkConfiguration": """
        subnetId:subnet dynamicVNetAssignmentScope:DynamicVNetAssignmentScope
        endpointConfiguration:BatchPoolEndpointConfiguration
        publicIPAddressConfiguration:BatchPublicIpAddressConfiguration enableAcceleratedNetworking:bool
    """,
    "NetworkSecurityGroupRule": """
        priority*:int(150..4096) access*:NetworkSecurityGroupRuleAccess sourceAddressPrefix*:str
        sourcePortRanges:[str]
    """,
    "ProxyAgentSettings": "enabled:bool imds:HostEndpointSettings wireServer:HostEndpointSettings",
    "RollingUpgradePolicy": """
        enableCrossZoneUpgrade:bool maxBatchInstancePercent:int(5..100)
        maxUnhealthyInstancePercent:int(5..100) maxUnhealthyUpgradedInstancePercent:int(0..100)
        pauseTimeBetweenBatches:duration prioritizeUnhealthyInstances:bool
        rollbackFailedInstancesOnPolicyBreach:bool
    """,
    "SecurityProfile": """
        encryptionAtHost:bool proxyAgentSettings:ProxyAgentSettings securityType:SecurityTypes
        uefiSettings:BatchUefiSettings
    """,
    "ServiceArtifactReference": "id*:str",
    "UpgradePolicy": """
        mode*:UpgradeMode automaticOSUpgradePolicy:AutomaticOsUpgradePolicy
        rollingUpgradePolicy:RollingUpgradePolicy
    """,
    "VMExtension": """
        name*:str publisher*:str type*:str typeHandlerVersion:str autoUpgradeMinorVersion:bool
        enableAutomaticUpgrade:bool settings:any protectedSettings:any provisionAfterExtensions:[str]
    """,
    "VirtualMachineConfiguration": """
        imageReference*:BatchVmImageReference nodeAgentSKUId*:str(1..)
        windowsConfiguration:WindowsConfiguration dataDisks:[DataDisk] licenseType:str
        containerConfiguration:BatchContainerConfiguration
        diskEncryptionConfiguration:DiskEncryptionConfiguration
        nodePlacementConfiguration:BatchNodePlacementConfiguration extensions:[VMExtension]
        osDisk:BatchOsDisk securityProfile:SecurityProfile
        serviceArtifactReference:ServiceArtifactReference
    """,
    "WindowsConfiguration": "enableAutomaticUpdates:bool",
}
