"""Records the README's picture; see scripts/picture."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "support"))

from picture import FILE, record
from practice_cluster import practice

from wizard.practice.helm_binary import helm_binary

if __name__ == "__main__":
    with practice(helm_binary(3, say=print)) as cluster:
        record(cluster)
    print(f"written: {FILE}")
