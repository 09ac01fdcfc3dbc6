"""Rights that several steps need, each declared once."""

from wizard.steps.base import Access

RELEASES = Access("kubernetes", "list", "secrets")
"""helm keeps its releases in Secrets, and lists them."""

RELEASE = Access("kubernetes", "get", "secrets")
"""One release (`helm get`), or the Secret with the database's URL."""

BACKEND = (
    Access("kubernetes", "get", "deployments", "apps"),
    Access("kubernetes", "list", "replicasets", "apps"),
    Access("kubernetes", "list", "pods"),
)
"""The backend's workload, and the pods that are its own."""

FORWARD = (
    Access("kubernetes", "get", "pods/portforward"),
    Access("kubernetes", "create", "pods/portforward"),
)
"""A port-forward over a WebSocket is a GET; newer API servers ask for `create` as well."""

DATABASE = (
    RELEASE,
    Access("kubernetes", "get", "services"),
    Access("kubernetes", "list", "pods"),
    *FORWARD,
)
"""The way to the database: the Secret with its URL, the Service behind it, a pod of that."""

REVIEW = Access(
    "kubernetes", "create", "selfsubjectaccessreviews", "authorization.k8s.io", changes=True
)
"""Asking beforehand whether a right is there."""
