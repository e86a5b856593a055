"""The provisioner's state machine: workers' processes, dead engines, replicas set aside."""

from catenary.core.provisioner.core import ProvisionerCore
from catenary.core.provisioner.settings import ProvisionerSettings

__all__ = ["ProvisionerCore", "ProvisionerSettings"]
