"""The images that the service lists: a table with a row for each offer, node agent and end of life."""

from batch_emulator.resources import Document

_CAPABILITIES = {
    "docker": "DockerCompatible",
    "gen2": "Generation2VMImage",
    "grid": "NvidiaGridDriverInstalled",
    "mpi": "IntelMPIRuntimeInstalled",
    "rdma": "SupportsRDMAOnly",
    "tesla": "NvidiaTeslaDriverInstalled",
}

# Publisher, offer, node agent, end of Batch's support, SKUs: `!` is verified, after `:` stand capabilities.
_RECORDED = (
    ("almalinux", "almalinux", "el 8", "", "8_4 8_4-gen2:gen2 8_5 8_5-gen2:gen2"),
    ("almalinux", "almalinux-hpc", "el 8", "", "8_5-hpc:rdma+mpi 8_5-hpc-gen2:rdma+mpi+gen2"),
    ("batch", "rendering-centos73", "centos 7", "", "rendering!"),
    ("batch", "rendering-windows2016", "windows amd64", "", "rendering!"),
    ("canonical", "0001-com-ubuntu-server-focal", "ubuntu 20.04", "", "20_04-lts! 20_04-lts-gen2!:gen2"),
    ("canonical", "0001-com-ubuntu-server-jammy", "ubuntu 22.04", "", "22_04-lts! 22_04-lts-gen2:gen2"),
    ("canonical", "ubuntuserver", "ubuntu 18.04", "2023-05-30", "18.04-lts! 18_04-lts-gen2:gen2"),
    ("debian", "debian-10", "debian 10", "2022-09-30", "10!"),
    ("microsoft-azure-batch", "centos-container", "centos 7", "", "7-8!:docker+tesla+grid"),
    ("microsoft-azure-batch", "centos-container-rdma", "centos 7", "", "7-8!:docker+tesla+rdma+mpi"),
    ("microsoft-azure-batch", "ubuntu-server-container", "ubuntu 20.04", "", "20-04-lts!:docker+tesla+grid"),
    (
        "microsoft-azure-batch",
        "ubuntu-server-container-rdma",
        "ubuntu 20.04",
        "",
        "20-04-lts!:docker+tesla+rdma+mpi",
    ),
    ("microsoft-dsvm", "dsvm-win-2019", "windows amd64", "", "winserver-2019"),
    ("microsoft-dsvm", "ubuntu-1804", "ubuntu 18.04", "2023-05-30", "1804:tesla"),
    ("microsoft-dsvm", "ubuntu-hpc", "ubuntu 18.04", "2023-05-30", "1804:rdma+gen2+mpi"),
    ("microsoft-dsvm", "ubuntu-hpc", "ubuntu 20.04", "", "2004:docker+rdma+gen2+mpi"),
    (
        "microsoftwindowsserver",
        "windowsserver",
        "windows amd64",
        "",
        """
        2008-r2-sp1 2008-r2-sp1-smalldisk 2012-datacenter! 2012-datacenter-smalldisk!
        2012-r2-datacenter! 2012-r2-datacenter-smalldisk! 2016-datacenter!
        2016-datacenter-gensecond:gen2 2016-datacenter-gs 2016-datacenter-smalldisk!
        2016-datacenter-smalldisk-g2:gen2 2019-datacenter! 2019-datacenter-core!
        2019-datacenter-core-g2:gen2 2019-datacenter-core-smalldisk!
        2019-datacenter-core-smalldisk-g2:gen2 2019-datacenter-gensecond:gen2 2019-datacenter-gs
        2019-datacenter-smalldisk! 2019-datacenter-smalldisk-g2:gen2 2022-datacenter!
        2022-datacenter-core! 2022-datacenter-core-g2:gen2 2022-datacenter-core-smalldisk!
        2022-datacenter-core-smalldisk-g2:gen2 2022-datacenter-g2:gen2 2022-datacenter-smalldisk!
        2022-datacenter-smalldisk-g2:gen2
        """,
    ),
    (
        "microsoftwindowsserver",
        "windowsserver",
        "windows amd64",
        "2022-09-30",
        """
        2016-datacenter-with-containers!:docker 2016-datacenter-with-containers-gs:docker
        2019-datacenter-core-with-containers!:docker
        2019-datacenter-core-with-containers-g2:docker+gen2
        2019-datacenter-core-with-containers-smalldisk!:docker 2019-datacenter-with-containers!:docker
        2019-datacenter-with-containers-g2:docker+gen2 2019-datacenter-with-containers-gs:docker
        2019-datacenter-with-containers-smalldisk!:docker
        """,
    ),
    ("openlogic", "centos", "centos 7", "", "7_9! 7_9-gen2!:gen2"),
    ("openlogic", "centos-hpc", "centos 7", "", "7_9:rdma+mpi 7_9-gen2:rdma+mpi+gen2"),
    ("oracle", "oracle-linux", "centos 7", "", "7.4 78"),
    ("oracle", "oracle-linux", "el 8", "", "81"),
    (
        "xilinx",
        "xilinx_alveo_u250_deployment_vm_centos78_032321",
        "centos 7",
        "",
        "xilinx_alveo_u250_deployment_vm_centos78_032321",
    ),
    (
        "xilinx",
        "xilinx_alveo_u250_deployment_vm_ubuntu1804_032321",
        "ubuntu 18.04",
        "2023-05-30",
        "xilinx_alveo_u250_deployment_vm_ubuntu_1804_032321",
    ),
    (
        "xilinx",
        "xilinx_alveo_u250_deployment_vm_ubuntu2004_062421",
        "ubuntu 20.04",
        "",
        "xilinx_alveo_u250_deployment_vm_ubuntu_2004_062421",
    ),
)
"""As the service answered in September 2022. Some are retired; programs ask for them still."""

_OTHERS = (
    ("canonical", "ubuntuserver", "ubuntu 16.04", "2021-04-30", "16.04-lts!"),
    ("canonical", "ubuntu-24_04-lts", "ubuntu 24.04", "", "server!:gen2 server-gen1!"),
    ("canonical", "ubuntu-24_04-lts", "ubuntu 24.04-arm64", "", "server-arm64:gen2"),
    ("microsoft-dsvm", "ubuntu-hpc", "ubuntu 22.04", "", "2204!:docker+rdma+gen2+mpi"),
    ("microsoft-dsvm", "ubuntu-hpc", "ubuntu 24.04", "", "2404!:docker+rdma+gen2+mpi"),
)
"""Older and newer ones: publisher, offer, SKU and agent are documented, the rest is assumed."""


def supported() -> list[Document]:
    """All images as the service shows them, by publisher, offer and SKU."""
    images = [
        _document(publisher, offer, sku, agent, end)
        for publisher, offer, agent, end, skus in (*_RECORDED, *_OTHERS)
        for sku in skus.split()
    ]
    return sorted(images, key=lambda image: list(image["imageReference"].values()))


def _document(publisher: str, offer: str, sku: str, agent: str, end: str) -> Document:
    name, _, capabilities = sku.partition(":")
    document: Document = {
        "imageReference": {
            "publisher": publisher,
            "offer": offer,
            "sku": name.rstrip("!"),
            "version": "latest",
        },
        "verificationType": "verified" if name.endswith("!") else "unverified",
        "nodeAgentSKUId": f"batch.node.{agent}",
    }
    if capabilities:
        document["capabilities"] = [_CAPABILITIES[one] for one in capabilities.split("+")]
    if end:
        document["batchSupportEndOfLife"] = f"{end}T00:00:00Z"
    document["osType"] = "windows" if agent.startswith("windows") else "linux"
    return document
