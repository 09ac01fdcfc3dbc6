"""helm's own reading of a values file: it renders a chart that holds nothing but its values."""

from __future__ import annotations

import base64
import json
import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wizard.problems import Exit, Problem
from wizard.systems.helm import process
from wizard.systems.helm.errors import Call
from wizard.systems.values.reading import secrets_of

LIMIT = 30.0
"""Seconds that helm may take."""

CHART = {
    "Chart.yaml": "apiVersion: v2\nname: values\nversion: 0.1.0\n",
    "templates/values.yaml": "values: {{ toJson .Values | b64enc }}\n",
}
_TOLD = re.compile(r"^values: (\S+)$", re.MULTILINE)


def confirm(data: bytes, meant: Mapping[str, Any], file: str) -> bool:
    """Whether the helm on PATH was asked, in one process; then it reads of the bytes what is meant.

    They go through a pipe, and no cluster is asked. Without a helm nothing is confirmed.

    Raises:
        Problem: it reads something else or nothing, cannot be run, or does not answer.
    """
    binary = shutil.which("helm")
    if binary is None:
        return False
    with tempfile.TemporaryDirectory(prefix="langsmith-audit-") as folder:
        for name, text in CHART.items():
            part = Path(folder, name)
            part.parent.mkdir(exist_ok=True)
            part.write_text(text, encoding="utf-8")
        argv = [binary, "template", "values", folder, "--values", "-"]
        call = Call("helm template", f"values file {file}", secrets=secrets_of(data))
        told = _TOLD.search(process.read(argv, call, limit=LIMIT, stdin=data))
    found = json.loads(base64.b64decode(told[1])) if told else None
    if json.dumps(found, sort_keys=True) != json.dumps(meant, sort_keys=True):
        what = "Of the edited file helm reads something else than this tool; it was not written"
        raise Problem("LSA337", what, on=f"values file {file}", exit=Exit.FAILED)
    return True
