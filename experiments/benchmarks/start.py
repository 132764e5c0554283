"""How soon fer-audit answers: `--help`, against the same interpreter doing nothing; medians of paired runs, in ms.

Target: `--help` in under 500 ms.  Run it with: python experiments/benchmarks/start.py
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

RUNS = 15


def milliseconds(*arguments: str) -> float:
    """Wall time of one run of this interpreter with `arguments`."""
    began = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True)  # noqa: S603 - our own command
    return 1000 * (time.perf_counter() - began)


def main() -> None:
    """Prints both medians and the median of the differences."""
    pairs = [(milliseconds("-c", "pass"), milliseconds("-m", "fer_audit", "--help")) for _ in range(RUNS)]
    print(f"python -c pass        {statistics.median(idle for idle, _ in pairs):6.0f} ms")
    print(f"fer-audit --help      {statistics.median(ours for _, ours in pairs):6.0f} ms  (target: under 500)")
    print(f"of which fer-audit    {statistics.median(ours - idle for idle, ours in pairs):6.0f} ms")


if __name__ == "__main__":
    main()
