"""`python -m fer_audit` is the command `fer-audit`."""

import sys

from fer_audit.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
