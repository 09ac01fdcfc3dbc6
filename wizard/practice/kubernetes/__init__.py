"""A Kubernetes API in this process, as far as helm, kubectl and the Python client need one."""

from wizard.practice.kubernetes.cluster import CLUSTER_UID, PracticeKubernetes
from wizard.practice.kubernetes.errors import ApiError
from wizard.practice.kubernetes.faults import POD_FAILURES, Faults, LocalCommand
from wizard.practice.kubernetes.routes import Request
from wizard.practice.kubernetes.store import Snapshot

__all__ = [
    "CLUSTER_UID",
    "POD_FAILURES",
    "ApiError",
    "Faults",
    "LocalCommand",
    "PracticeKubernetes",
    "Request",
    "Snapshot",
]
