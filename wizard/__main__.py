"""`python -m wizard`, and the console script `langsmith-audit`."""

import sys

from wizard.cli import main

if __name__ == "__main__":
    sys.exit(main())
