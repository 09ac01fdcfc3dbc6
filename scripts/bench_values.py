"""Figures of the values file editor: seconds for edit and proof, and memory.

Each is the median of several runs in one process, after a first one that imports the parsers.
"""

from __future__ import annotations

import resource
import statistics
import sys
import time

from wizard.systems.values.edit import edit
from wizard.systems.values.model import Outcome

RUNS = 5
BLOCK = """\
  part{number}:
    # How part {number} is deployed
    enabled: true  # or false
    name: "part-{number}"
    replicas: {number}
    image:
      repository: registry.example/langsmith/part-{number}
      tag: 0.12.33
    command:
      - run
      - "--verbose"
    resources:
      limits: {{cpu: 1000m, memory: 2Gi}}
    annotations: {{}}
    script: |
      echo "部分 {number} 🎉"

"""
PATH = "backend:\n  deployment:\n    replicas: 2\n  service: {}\n"


def document(lines: int) -> bytes:
    """A values file of that many lines, with comments, lists and literals; backend amid them."""
    count = lines // BLOCK.count("\n")
    blocks = [BLOCK.format(number=number) for number in range(count)]
    half = count // 2
    return f"parts:\n{''.join(blocks[:half])}{PATH}more:\n{''.join(blocks[half:])}".encode()


def seconds(data: bytes) -> float:
    """The median of what an edit takes, its proof included."""
    taken = []
    for _ in range(RUNS):
        began = time.perf_counter()
        made = edit(data)
        taken.append(time.perf_counter() - began)
        if made.outcome is not Outcome.INSERT:
            raise SystemExit(f"the edit was not made: {made.message}")
    return statistics.median(taken)


def main() -> None:
    """Print the figures and their limits."""
    edit(document(100))
    large = document(3900)
    lines = large.count(b"\n")
    print(f"values file of {lines:,} lines          {seconds(large):6.2f} s   (limit 0.3 s)")
    whole = document(1_020_000 * lines // len(large))
    size = len(whole) / (1024 * 1024)
    print(f"values file of {size:.2f} MB             {seconds(whole):6.2f} s   (limit 5 s)")
    unit = 1024 * 1024 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
    print(f"memory of the process, at most       {peak:6.0f} MB  (limit 150 MB)")


if __name__ == "__main__":
    main()
