"""`python -m masquerade`."""

import sys

from masquerade.cli import main

if __name__ == "__main__":
    sys.exit(main())
