"""Figures, measured as whole processes: medians of several runs, and ratios.

scripts/bench             all of them
scripts/bench start       --help and --version against `helm version`; what each command imports
scripts/bench words       how long each command is silent in a terminal after it was typed
scripts/bench check       `check` against the article's three read-only commands
scripts/bench several     `check` of 1, 5 and 20 installations: seconds, and memory of all processes
scripts/bench run         what a run asks for: requests and helm processes, by kind; and its seconds
scripts/bench practice    the practice cluster: seconds until ready, memory
scripts/bench values      the values file editor
scripts/bench events      reading the log, against curl and psql's COPY
scripts/bench orgs        list, search and change organizations, against psql; with --large 1 M
"""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from wizard.cli import COMMANDS
from wizard.practice.cluster import PracticeCluster
from wizard.practice.helm_binary import helm_binary

RUNS = 11
TOOL = str(Path(sys.executable).with_name("langsmith-audit"))
HEAVY = ("psycopg", "yaml", "rich", "websocket", "questionary")


def median(*commands: Sequence[str], env: Mapping[str, str] | None = None) -> float:
    """Seconds that the commands take one after another: the median of RUNS, after one warm-up."""
    taken = []
    for _ in range(RUNS + 1):
        began = time.perf_counter()
        for command in commands:
            subprocess.run(command, env=env, capture_output=True, check=False)
        taken.append(time.perf_counter() - began)
    return statistics.median(taken[1:])


@contextlib.contextmanager
def _home() -> Iterator[Path]:
    """A folder that PostgreSQL may enter when it runs as another user than root."""
    with tempfile.TemporaryDirectory(prefix="lsa-") as name:
        Path(name).chmod(0o711)
        yield Path(name)


def start() -> None:
    """Start-up against helm's, and what is imported for it."""
    helm = median([str(helm_binary()), "version"])
    print(f"helm version                        {helm * 1000:7.1f} ms")
    for flag in ("--help", "--version"):
        seconds = median([TOOL, flag])
        print(f"langsmith-audit {flag:<19} {seconds * 1000:7.1f} ms   {seconds / helm:.2f} × helm")
    code = f"""
import sys; from wizard.cli import main; main(["--help"])
print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"""
    seen = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    print(f"imported for --help, of {', '.join(HEAVY)}: {seen.stderr.strip()}")
    bare = median([sys.executable, "-c", "pass"])
    for name, command in COMMANDS.items():
        seconds = median([sys.executable, "-c", f"import wizard.cli, {command.module}"]) - bare
        print(f"imports of {name:<29} {seconds * 1000:7.1f} ms")


SAID = {
    "run": "run", "plan": "plan --all", "check": "check", "undo": "undo --no-input", "orgs": "orgs",
    "events": "events --url {url}", "values": "values {values}", "runs": "runs", "rbac": "rbac",
    "cronjob": "cronjob", "image": "image", "explain": "explain 812", "show": "show {plan}",
    "apply": "apply {plan}", "completion": "completion bash", "practice": "practice --list",
    "--help": "--help", "--version": "--version",
}  # fmt: skip
"""Each command as it is typed for its first words."""


def words() -> None:
    """Seconds until the first byte in a terminal: the median of five."""
    with _home() as home:
        cluster = PracticeCluster(home, helm=helm_binary(), pod_ready_after=0.05)
        cluster.up()
        try:
            plan = home / "plan.json"
            env = cluster.environment()
            subprocess.run(
                [TOOL, "plan", "--all", "-o", str(plan)], env=env, check=True, capture_output=True
            )
            for name, typed in SAID.items():
                told = typed.format(url=cluster.url, values=cluster.values, plan=plan).split()
                taken = statistics.median(_until_words([TOOL, *told], env) for _ in range(5))
                print(f"{name:<12} {taken * 1000:6.0f} ms")
        finally:
            cluster.down()


def _until_words(argv: Sequence[str], env: Mapping[str, str]) -> float:
    ours, its = pty.openpty()
    began = time.perf_counter()
    process = subprocess.Popen(
        argv, env={**env, "TERM": "xterm-256color"}, stdin=its, stdout=its, stderr=its
    )
    os.close(its)
    with contextlib.suppress(OSError):
        os.read(ours, 1)
    taken = time.perf_counter() - began
    process.kill()
    process.wait()
    os.close(ours)
    return taken


def check() -> None:
    """The health check against the article's three read-only commands."""
    kubectl = shutil.which("kubectl")
    with _home() as home:
        cluster = PracticeCluster(home, helm=helm_binary(), pod_ready_after=0.05)
        cluster.up()
        try:
            env = cluster.environment()
            done = subprocess.run([TOOL, "run", "--yes", "--all"], env=env, check=False)
            ours = median([TOOL, "check", "--all"], env=env)
            print(f"run exit code {done.returncode}; langsmith-audit check   {ours * 1000:7.0f} ms")
            if kubectl is None or shutil.which("curl") is None:
                print("no kubectl or curl on PATH: the article's commands were not timed")
                return
            theirs = median(*_article(cluster, kubectl), env=env)
            print(f"the article's three commands        {theirs * 1000:7.0f} ms")
            print(f"ratio                               {ours / theirs:7.2f}")
        finally:
            cluster.down()


def _article(cluster: PracticeCluster, kubectl: str) -> list[list[str]]:
    pod = ["exec", "langsmith-postgres-0", "-n", "langsmith", "--"]
    psql = ["psql", "-U", "postgres", "-d", "postgres", "-c", "\\dt audit_logs"]
    times = "start_time=2026-01-01T00:00:00Z&end_time=2027-01-01T00:00:00Z&limit=10"
    key = cluster.home / "curl"
    key.touch(mode=0o600)
    key.write_text(f'header = "X-API-Key: {cluster.api_key}"\n')
    return [
        ["helm", "list", "-n", "langsmith"],
        [kubectl, *pod, *psql],
        ["curl", "-sK", str(key), f"{cluster.url}/api/v1/audit-logs?{times}"],
    ]


def several() -> None:
    """The health check of several installations: the practice cluster under so many contexts."""
    with _home() as home:
        cluster = PracticeCluster(home, helm=helm_binary(), pod_ready_after=0.05)
        cluster.up()
        try:
            env = cluster.environment()
            subprocess.run(
                [TOOL, "run", "--yes", "--all"], env=env, capture_output=True, check=True
            )
            config = json.loads(cluster.kubeconfig.read_text())
            (one,) = config["contexts"]
            config["contexts"] = [one | {"name": f"installation-{n}"} for n in range(20)]
            file = home / "twenty"
            file.write_text(json.dumps(config))
            for number in (1, 5, 20):
                contexts = [f"--context=installation-{n}" for n in range(number)]
                argv = [TOOL, "check", "--kubeconfig", str(file), *contexts, "--skip", "audit_api"]
                seconds, largest = _with_memory(argv, env)
                print(f"{number:3} installations, 4 at a time {seconds:7.2f} s   {largest:5.0f} MB")
        finally:
            cluster.down()


def _with_memory(argv: Sequence[str], env: Mapping[str, str]) -> tuple[float, float]:
    """Seconds, and the most megabytes that the process and all below it had together (Linux)."""
    began, largest = time.perf_counter(), 0.0
    with subprocess.Popen(argv, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as it:
        while it.poll() is None:
            largest = max(largest, _proportional(it.pid))
            time.sleep(0.02)
        told = it.stderr.read().decode() if it.stderr else ""
    if it.returncode:
        sys.exit(f"{' '.join(argv[:2])} ended with {it.returncode}: {told}")
    return time.perf_counter() - began, largest


def _proportional(pid: int) -> float:
    """Megabytes of a process and all below it; pages that several share are counted once."""
    total = 0.0
    with contextlib.suppress(OSError):
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        total = int(re.findall(r"^Pss: +(\d+)", rollup, re.MULTILINE)[0]) / 1024
        for task in Path(f"/proc/{pid}/task").iterdir():
            total += sum(map(_proportional, map(int, (task / "children").read_text().split())))
    return total


def run() -> None:
    """What a run asks for; the seconds are mostly those of the practice pods and hook Jobs."""
    for options in ((), ("--one-rollout",)):
        with _home() as home:
            cluster = PracticeCluster(home, helm=helm_binary())
            cluster.up()
            try:
                cluster.kubernetes.requests.clear()
                began = time.perf_counter()
                argv = [TOOL, "run", "--yes", "--no-input", "--all", *options]
                done = subprocess.run(
                    argv, env=cluster.environment(), capture_output=True, check=False
                )
                seconds = time.perf_counter() - began
                print(f"run {' '.join(options)}: exit code {done.returncode}, {seconds:.1f} s")
                _asked(cluster)
            finally:
                cluster.down()


def _asked(cluster: PracticeCluster) -> None:
    """The commonest requests of ours, and the helm processes, each with its number."""
    ours = [it for it in cluster.kubernetes.requests if it.user_agent.startswith("langsmith-audit")]
    found = Counter(f"{it.verb} {it.resource} {it.name if it.verb == 'get' else ''}" for it in ours)
    for what, number in found.most_common(8):
        print(f"{number:5} {what}")
    (log,) = (cluster.home / "state" / "runs").glob("*/debug.log")
    helms = re.findall(r"\] helm \S*/helm ((?:get )?\S+)", log.read_text(encoding="utf-8"))
    told = ", ".join(f"{name} {number}" for name, number in Counter(helms).most_common())
    print(f"{len(helms):5} helm processes: {told}")


def practice() -> None:
    """The practice cluster: seconds from nothing to ready, and its memory."""
    taken = []
    for _ in range(3):
        with _home() as home:
            began = time.perf_counter()
            cluster = PracticeCluster(home, helm=helm_binary())
            cluster.up()
            taken.append(time.perf_counter() - began)
            cluster.down()
    unit = 1024 if sys.platform != "darwin" else 1024 * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
    seconds = statistics.median(taken)
    print(f"practice cluster ready after        {seconds:7.2f} s")
    print(f"peak memory of its process          {peak:7.0f} MB")


def values() -> None:
    """The values file editor."""
    subprocess.run([sys.executable, str(Path(__file__).with_name("bench_values.py"))], check=True)


def orgs() -> None:
    """Organizations, against the same SQL in psql."""
    large = [word for word in sys.argv if word == "--large"]
    script = str(Path(__file__).with_name("bench_orgs.py"))
    subprocess.run([sys.executable, script, *large], check=True)


def events() -> None:
    """Reading the log, against curl in a loop and psql's COPY."""
    subprocess.run([sys.executable, str(Path(__file__).with_name("bench_events.py"))], check=True)


PARTS: dict[str, Callable[[], None]] = {
    "start": start,
    "words": words,
    "check": check,
    "several": several,
    "run": run,
    "practice": practice,
    "values": values,
    "orgs": orgs,
    "events": events,
}


def main() -> None:
    """Run the parts that are named, or all."""
    os.environ.pop("LANGSMITH_AUDIT_DEBUG", None)
    for name in [word for word in sys.argv[1:] if word != "--large"] or PARTS:
        print(f"\n{name}")
        PARTS[name]()


if __name__ == "__main__":
    main()
