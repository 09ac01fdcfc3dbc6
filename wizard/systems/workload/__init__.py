"""The backend's workload, whatever its kind: its pods, its rollout, its restart."""

from wizard.systems.workload.pods import Pod
from wizard.systems.workload.status import NOT_LET_IN, RolloutStatus
from wizard.systems.workload.waiting import BACK_OFF, Patience
from wizard.systems.workload.workload import Workload, ready_pod

__all__ = ["BACK_OFF", "NOT_LET_IN", "Patience", "Pod", "RolloutStatus", "Workload", "ready_pod"]
