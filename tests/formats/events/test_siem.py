"""What is shipped for log shippers: it parses, its commands are ours, and what runs here is run."""

import http.server
import json
import os
import re
import shlex
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from event_log import rows, serving
from reading import environment

from wizard.cli import parser_of
from wizard.resources import templates

SIEM = templates() / "siem"
FILES = ("vector.yaml", "fluent-bit.conf", "splunk-hec.sh", "datadog.yaml")


@pytest.mark.parametrize("name", FILES)
def test_the_commands_in_it_are_taken(name: str) -> None:
    text = (SIEM / name).read_text()
    if name == "vector.yaml":
        words = yaml.safe_load(text)["sources"]["langsmith"]["command"]
    else:
        joined = text.replace("\\\n#", " ").replace("\\\n", " ")
        (line,) = re.findall(r"(langsmith-audit events .*?)(?: >.*)?$", joined, re.MULTILINE)
        words = shlex.split(line)
    parsed = parser_of("events").parse_args(words[2:])
    assert words[0] == "langsmith-audit"
    assert parsed.state
    assert parsed.format == "ndjson"
    assert len(text.splitlines()) <= 18


def test_the_yaml_parses() -> None:
    vector = yaml.safe_load((SIEM / "vector.yaml").read_text())
    assert vector["sinks"]["out"]["inputs"] == list(vector["sources"])
    (log,) = yaml.safe_load((SIEM / "datadog.yaml").read_text())["logs"]
    assert log["path"] in (SIEM / "datadog.yaml").read_text().split("logs:")[0]


class Collector(http.server.BaseHTTPRequestHandler):
    """Splunk's collector, as far as the script meets it; it is busy the first time."""

    taken: list[tuple[str | None, str]] = []  # noqa: RUF012 - one a test
    busy = 1

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        if Collector.busy:
            Collector.busy -= 1
            self.send_error(503)
            return
        Collector.taken.append((self.headers["Authorization"], body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def test_splunks_collector_gets_every_event_once(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    given = rows(30, now - timedelta(hours=2), now - timedelta(minutes=5))
    collector = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    threading.Thread(target=collector.serve_forever, args=(0.05,), daemon=True).start()
    (tmp_path / "curl.conf").write_text('header = "Authorization: Splunk T"\n')
    tool = tmp_path / "langsmith-audit"
    tool.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m wizard "$@"\n')
    tool.chmod(0o755)
    with serving(given) as server:
        env = environment(tmp_path) | {
            "HEC": str(tmp_path),
            "HEC_URL": f"http://127.0.0.1:{collector.server_port}",
            "LANGSMITH_AUDIT_URL": server.url,
            "PATH": f"{tmp_path}:{os.environ['PATH']}",
        }
        codes = [
            subprocess.run(["sh", str(SIEM / "splunk-hec.sh")], env=env, timeout=120).returncode
            for _ in range(2)
        ]
    collector.shutdown()
    assert codes[0] != 0
    assert codes[1] == 0
    found = [json.loads(line) for _, body in Collector.taken for line in body.splitlines()]
    assert {auth for auth, _ in Collector.taken} == {"Splunk T"}
    assert sorted(it["event"]["metadata"]["uid"] for it in found) == sorted(
        row["id"] for row in given
    )
    assert not list(tmp_path.glob("*.ndjson"))
