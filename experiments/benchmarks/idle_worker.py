"""A worker whose trainings cost nothing: what is left is what scheduling them costs."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from fer_audit.specs import TrainingJob
from fer_audit.store import Store


def main() -> None:
    """Says of each training that it is done, as the real worker would, and leaves nothing in the store."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--plugins", action="append")
    store = Store(parser.parse_args().store)
    say({"event": "ready"})
    for line in sys.stdin:
        job = TrainingJob.model_validate(json.loads(line)["training"])
        with store.claim(*job.fit, wait=False):
            say({"event": "done", "key": job.training.key, "laps": {}})


def say(message: dict[str, object]) -> None:
    """One message to the engine."""
    print(json.dumps(message), flush=True)


if __name__ == "__main__":
    main()
