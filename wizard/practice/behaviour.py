"""What pods and Jobs of the practice release do: the bridge from Kubernetes to real parts."""

from __future__ import annotations

from collections.abc import Mapping
from string import Template
from typing import Any

import psycopg

from wizard.practice.kubernetes import LocalCommand, PracticeKubernetes
from wizard.practice.langsmith import LangSmith
from wizard.practice.langsmith_store import migrate
from wizard.practice.pods import Get, environment_of, port_of, reaches
from wizard.practice.postgres import PracticePostgres
from wizard.resources import template

Pod = Mapping[str, Any]

AUDIT_TABLE_FROM = "0.12.72"
"""The first app version whose migrations make the table audit_logs."""


class Behaviour:
    """Connects the handlers of a PracticeKubernetes with PostgreSQL and the LangSmith stand-in."""

    def __init__(
        self, postgres: PracticePostgres, langsmith: LangSmith, get: Get, database: str
    ) -> None:
        self._postgres = postgres
        self._langsmith = langsmith
        self._get = get
        self._database = database

    def attach(self, kubernetes: PracticeKubernetes) -> None:
        """Set all handlers."""
        kubernetes.exec_handler = self.run_in_pod
        kubernetes.port_handler = self.port
        kubernetes.job_handler = self.run_job
        kubernetes.log_handler = self.log
        kubernetes.on_pod_ready = self._langsmith.pod_ready
        kubernetes.on_pod_gone = self._langsmith.pod_gone

    def run_in_pod(self, pod: Pod, container: str, argv: list[str]) -> LocalCommand | None:
        """Where a PostgreSQL client is, a command sees the real server, and the pod's variables."""
        found = next(one for one in pod["spec"]["containers"] if one["name"] == container)
        beside = port_of(pod, "postgres") is None
        if beside and "postgres:" not in found["image"]:
            return None
        reach = self._postgres.psql_env()
        # In the real pod a local connection is trusted, whatever the user is called.
        del reach["PGUSER"]
        if beside:  # over the network, with the pod's own login
            del reach["PGPASSWORD"], reach["PGCONNECT_TIMEOUT"]
        own = environment_of(found, pod["metadata"]["namespace"], self._get)
        return LocalCommand(list(argv), own | reach)

    def port(self, pod: Pod, port: int) -> tuple[str, int] | None:
        """Where a pod's port really is."""
        if port == port_of(pod, "postgres"):
            return self._postgres.host, self._postgres.port
        if port == port_of(pod, "frontend"):
            return "127.0.0.1", self._langsmith.port
        own = self._langsmith.pod_port(pod["metadata"]["uid"])
        if own is not None and port == port_of(pod, "backend"):
            return "127.0.0.1", own
        return None

    def run_job(self, job: Pod) -> bool:
        """Whether a Job succeeds; the Postgres migrations are really made."""
        template = job["spec"]["template"]
        if template["spec"]["containers"][0]["name"] != "pg-migrations":
            return True
        version = template["metadata"]["labels"].get("app.kubernetes.io/version", "")
        if not reaches(version, AUDIT_TABLE_FROM):
            return True
        dsn = self._postgres.dsn(self._database)
        try:
            with psycopg.connect(dsn, autocommit=True, connect_timeout=10) as connection:
                migrate(connection)
        except psycopg.Error:
            return False
        return True

    def log(self, pod: Pod, container: str) -> str:
        """The log of a container: which pod it is, and why it ended when it did not end well."""
        name = pod["metadata"]["name"]
        images = {one["name"]: one["image"] for one in pod["spec"]["containers"]}
        image = images.get(container, "")
        started = f"practice: {name} started {container} from {image}\n"
        return started + (self._last_words(pod) if failed(pod, container) else "")

    def _last_words(self, pod: Pod) -> str:
        """As applications often end: with the whole connection URL, password and all."""
        address = f"{self._postgres.host}:{self._postgres.port}"
        url = f"postgres:{self._postgres.password}@{address}/{self._database}"
        return Template(template("practice/crash.log")).substitute(
            url=url, address=address, pod=pod["metadata"]["name"]
        )


def failed(pod: Pod, container: str) -> bool:
    """Whether a container of a pod ended with another exit code than 0, now or before."""
    return any(
        status.get(state, {}).get("terminated", {}).get("exitCode")
        for status in pod.get("status", {}).get("containerStatuses", ())
        for state in ("state", "lastState")
        if status["name"] == container
    )
