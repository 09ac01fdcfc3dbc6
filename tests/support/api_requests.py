"""Plain requests to the practice cluster's Kubernetes API, with its token and certificate."""

import ssl

import requests
from requests.adapters import HTTPAdapter

from wizard.practice.kubernetes import PracticeKubernetes


class _Trusting(HTTPAdapter):
    def __init__(self, certificate: str) -> None:
        self._context = ssl.create_default_context(cadata=certificate)
        super().__init__()

    def init_poolmanager(self, *args: object, **more: object) -> None:
        super().init_poolmanager(*args, ssl_context=self._context, **more)

    def cert_verify(self, *args: object) -> None:
        """The context verifies."""


def session(kube: PracticeKubernetes) -> requests.Session:
    """A session that may ask everything."""
    made = requests.Session()
    made.trust_env = False
    made.headers.update(kube.bearer)
    made.mount("https://", _Trusting(kube.certificate))
    return made
