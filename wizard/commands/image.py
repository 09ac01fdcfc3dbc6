"""`langsmith-audit image`: a Dockerfile for what `cronjob` runs. It builds nothing."""

from __future__ import annotations

import argparse
import sys
from string import Template

from wizard import __version__
from wizard.problems import Exit
from wizard.resources import template


def main(args: argparse.Namespace) -> Exit:
    """Print it; `langsmith-audit image | docker build -t NAME -` builds the image."""
    here = args.from_checkout
    text = Template(template("cluster/Dockerfile")).substitute(
        version=__version__,
        copy="COPY . /src" if here else "# Nothing of the build's context is in it.",
        source="/src" if here else f"langsmith-audit=={__version__}",
    )
    sys.stdout.write(text)
    return Exit.OK
