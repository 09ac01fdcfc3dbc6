"""Writes the generated parts of the pages under templates/docs; see scripts/docs."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "support"))

from pages import DOCS, PARTS, renewed

if __name__ == "__main__":
    for page in PARTS:
        (DOCS / page).write_text(renewed(page), encoding="utf-8")
        print(f"written: {DOCS / page}")
