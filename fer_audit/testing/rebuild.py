"""Makes a plug-in again in a fresh process, from `{kind, name, params, folders}` on standard input."""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path

from fer_audit.errors import FerAuditError
from fer_audit.registry import Registry
from fer_audit.testing.kit import module_of


def main() -> int:
    """Prints `{source, result}` as the last line; one sentence and 2 where the plug-in can't be made."""
    wanted = json.load(sys.stdin)
    try:
        with contextlib.redirect_stdout(sys.stderr):  # what a plug-in prints is not the answer
            registry = Registry.load(Path(folder) for folder in wanted["folders"])
            plugin = registry.create(wanted["kind"], wanted["name"], wanted["params"])
            result = module_of(wanted["kind"]).result_digest(plugin)
    except FerAuditError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    print(json.dumps({"source": plugin.identity()["source"], "result": result}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
