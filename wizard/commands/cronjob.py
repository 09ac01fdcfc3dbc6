"""`langsmith-audit cronjob`: the health check as a CronJob, as YAML. It changes nothing."""

from __future__ import annotations

import argparse
import json
import re
import shlex
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from string import Template

from wizard.arguments import SECRETS
from wizard.engine.answers import Answers
from wizard.engine.grants import declared, granted, service_account, tier_of
from wizard.problems import Exit
from wizard.record import replace
from wizard.resources import template
from wizard.safe import safe
from wizard.settings import Target
from wizard.steps.procedure import STEPS
from wizard.systems.access import not_understood
from wizard.systems.kubernetes.rbac import as_yaml

NAMESPACE = "langsmith"
KEYS = "/run/secrets/langsmith-audit"
"""Where the container has the Secret's keys as files."""
SAID_AGAIN = (
    "url", "org", "all", "only_off", "database", "skip", "gitops", "connect_limit", "lock_limit"
)  # fmt: skip
"""The options that the check in the pod is given as they are given here; files are not there."""
UNKNOWN = ("LSA207", "LSA394", "LSA404")
"""What a check finds that may not read Secrets, and nothing else is wrong."""
_SCHEDULE = re.compile(
    r"[\w*/,?-]+( +[\w*/,?-]+){4}|@(hourly|daily|midnight|weekly|monthly|yearly|annually)"
)
MONITORING = "apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\n"


def main(args: argparse.Namespace) -> Exit:
    """Print ServiceAccount, CronJob, Role, RoleBinding and the alert rules.

    Raises:
        Problem: a name or the schedule cannot be one.
    """
    _refuse(args)
    target = Answers(args.settings, may_ask=False).target()
    target = replace(target, namespace=target.namespace or NAMESPACE)
    if target.database == "direct":  # by the Secret's key, not by the release's own Secret
        target = replace(target, database_url_file=Path(KEYS) / "database-url")
    if args.alert == "file":
        sys.stdout.write(_alerts(args, target))
        return Exit.OK
    tier = tier_of(args, "check")
    account = service_account(args.name, target.namespace)
    for line in _head(args, target):
        sys.stdout.write(f"# {safe(line)}\n")
    sys.stdout.write(_cronjob(args, target))
    sys.stdout.write("---\n" + as_yaml(granted(declared(tier, target), args.name, account)))
    if args.alert == "operator":
        about = json.dumps({"name": args.name, "namespace": target.namespace})
        rules = textwrap.indent(_alerts(args, target), "  ")
        sys.stdout.write(f"---\n{MONITORING}metadata: {about}\nspec:\n{rules}")
    return Exit.OK


def _refuse(args: argparse.Namespace) -> None:
    """What no API server would take."""
    for option in ("name", "secret", "state_claim"):
        text = getattr(args, option) or "a"
        if len(text) > 52 or not re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", text):
            flag = f"--{option.replace('_', '-')}"
            raise not_understood(flag, "lower-case letters, digits and -, 52 at most")
    if not _SCHEDULE.fullmatch(args.schedule):
        raise not_understood("--schedule", "five fields as cron has them, or @daily")
    if args.stale_after <= 0:
        raise not_understood("--stale-after", "a number of seconds above zero")


def _head(args: argparse.Namespace, target: Target) -> Iterator[str]:
    """What has to be there before."""
    files = "--from-file api-key=FILE"
    files += " --from-file database-url=FILE" if target.database == "direct" else ""
    yield "The health check as a CronJob: kubectl apply -f -"
    name = shlex.quote(args.image)
    yield f"The image: langsmith-audit image | docker build -t {name} -"
    yield f"(in a checkout: langsmith-audit image --from-checkout | docker build -t {name} -f - .)"
    yield f"The key: kubectl create secret generic {args.secret} -n {target.namespace} {files}"
    if args.without and not target.url:
        yield "Without these rights LangSmith's address is not known, or not reached: say --url"
    if SECRETS in args.without and "--skip-finding" not in " ".join(args.check):
        yield "Without the Secrets each check ends as unknown (exit 5), and its Job as failed. What"
        yield "is unknown by that alone does not count with these behind what you typed:"
        yield "-- " + " ".join(f"--skip-finding '{id}=no Secrets'" for id in UNKNOWN)
    if target.database == "direct":
        yield "The database's login: langsmith-audit rbac --for check --sql"
    if args.alert == "operator":
        yield "The PrometheusRule needs Prometheus' operator; without it: --alert file, or none"
    yield f"Once, now: kubectl create job -n {target.namespace} --from cronjob/{args.name} once"


def _cronjob(args: argparse.Namespace, target: Target) -> str:
    claim = {"persistentVolumeClaim": {"claimName": args.state_claim}}
    words = {
        "name": args.name,
        "namespace": target.namespace,
        "schedule": args.schedule,
        "zone": args.time_zone,
        "image": args.image,
        "args": list(_argv(args, target)),
        "secret": args.secret,
        "secrets": KEYS,
    }
    state = claim if args.state_claim else {"emptyDir": {"sizeLimit": "64Mi"}}
    quoted = {name: json.dumps(value) for name, value in words.items()}
    text = Template(template("cluster/cronjob.yaml"))
    return text.substitute(quoted, state=json.dumps(state)[1:-1])


def _argv(args: argparse.Namespace, target: Target) -> Iterator[str]:
    """The command in the pod."""
    yield from ("check", "-n", target.namespace, "--release", target.release)
    yield from ("--api-key-file", f"{KEYS}/api-key", "--verdict-file", "/dev/termination-log")
    if target.database == "direct":
        yield from ("--database-url-file", str(target.database_url_file))
    for name, words in target.typed:
        if name in SAID_AGAIN:
            yield from shlex.split(words)
    if "database" in args.without and target.database != "direct":
        yield from (f"--skip={step.name}" for step in STEPS if "database" in step.ahead)
    yield from args.check


def _alerts(args: argparse.Namespace, target: Target) -> str:
    words = {"name": args.name, "namespace": target.namespace, "stale": str(args.stale_after)}
    return Template(template("cluster/alerts.yaml")).substitute(words)
