"""What an edit does to the rendered chart: two env entries in one object, and nothing else."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from wizard.resources import templates
from wizard.systems.values.edit import edit
from wizard.systems.values.model import WANTED, Outcome

CHART = templates() / "practice" / "chart"
OTHER = "- name: OTHER\n        value: 'x'\n"
NEEDED = """
config:
  apiKeySalt: salt
  authType: mixed
  langsmithLicenseKey: key
  initialOrgAdminEmail: a@example.org
  basicAuth: {enabled: true, initialOrgAdminPassword: long-enough-1, jwtSecret: secret}
"""
SAMPLE = {
    "nothing": "",
    "comments alone": "# LangSmith\n\n# the end\n",
    "no backend": "config:\n  hostname: x.example\n",
    "a deployment": "backend:\n  deployment:\n    replicas: 3\n    # extraEnv: []\n",
    "flush lists": f"backend:\n  deployment:\n    extraEnv:\n      {OTHER}",
    "an empty list": "backend:\n  deployment:\n    extraEnv: []  # none\n",
    "flow": "backend: {deployment: {extraEnv: [{name: OTHER, value: x}]}}\n",
    "json": '{\n  "backend": {\n    "deployment": {}\n  }\n}\n',
    "crlf and a mark": "\ufeffbackend:\r\n  deployment:\r\n    replicas: 2\r\n",
    "anchors": "x: &x\n  replicas: 2\nbackend:\n  deployment:\n    <<: *x\n",
    "no last newline": "config:\n    hostname: 'x.example'\nbackend:\n    deployment:\n"
    "        replicas: 2",
    "wide characters": "config:\n  hostname: x # 漢字 😀\nbackend: # 🎉\n  deployment: {}\n",
}


@pytest.fixture
def rendered(helm3: Path, tmp_path: Path) -> Any:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("HELM_")}
    folders = {
        f"HELM_{name}_HOME": str(tmp_path / name.lower()) for name in ("CACHE", "CONFIG", "DATA")
    }

    def render(values: bytes) -> dict[tuple[str, str], Any]:
        path = tmp_path / "values.yaml"
        path.write_bytes(values)
        needed = tmp_path / "needed.yaml"
        needed.write_text(NEEDED)
        done = subprocess.run(
            [str(helm3), "template", "langsmith", str(CHART), "-f", str(needed), "-f", str(path)],
            env=clean | folders,
            capture_output=True,
            text=True,
            check=True,
        )
        found = [it for it in yaml.load_all(done.stdout, Loader=yaml.CSafeLoader) if it]
        return {(it["kind"], it["metadata"]["name"]): it for it in found}

    return render


@pytest.mark.parametrize("name", SAMPLE)
def test_two_entries_in_one_object(name: str, rendered: Any) -> None:
    data = SAMPLE[name].encode()
    made = edit(data)
    assert made.outcome in (Outcome.INSERT, Outcome.UPDATE)
    before, after = rendered(data), rendered(made.data)
    assert before.keys() == after.keys()
    differing = [key for key in before if before[key] != after[key]]
    assert differing == [("Deployment", "langsmith-backend")]
    changed = after[differing[0]]
    env = changed["spec"]["template"]["spec"]["containers"][0]["env"]
    added = [env.pop(), env.pop()][::-1]
    assert added == [{"name": entry.name, "value": entry.value} for entry in WANTED]
    assert changed == before[differing[0]]
