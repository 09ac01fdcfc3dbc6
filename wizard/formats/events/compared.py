"""What is only in the API or only in the table, for people and for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence

from wizard.console.output import for_programs

SHOWN = 20


def draw(
    format: str, both: int, alone: Mapping[str, Sequence[str]], counts: Mapping[str, int],
    fields: Mapping[str, int],
) -> None:  # fmt: skip
    """Write the comparison: `alone` has ids by where they are, `counts` how many there are."""
    if format != "table":
        document = {
            "schema_version": "1.0",
            "in_both": both,
            **{f"{where}_count": counts.get(where, 0) for where in alone},
            **{where: list(uids) for where, uids in alone.items()},
            "differing_fields": [{"field": it, "events": n} for it, n in sorted(fields.items())],
        }
        for_programs().write(json.dumps(document, indent=2) + "\n")
        return
    out = [f"{both:,} events are in the API and in the table."]
    for where, words in (("only_api", "only in the API"), ("only_table", "only in the table")):
        out.append(f"{counts.get(where, 0):,} are {words}{':' if alone[where] else '.'}")
        out += [f"  {uid}" for uid in alone[where][:SHOWN]]
        if counts.get(where, 0) > SHOWN:
            out.append("  and more; -o json has their ids")
    out += [f"{it} differs in {n:,} of them" for it, n in sorted(fields.items())]
    sys.stdout.write("\n".join(out) + "\n")
