"""One side of a comparison, run in a process of its own: neither threads nor imports of one side reach the other.

A side is a function of a module of this folder that takes and returns what JSON can hold.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

_QUIET = {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "2", "CUDA_VISIBLE_DEVICES": "-1"}

#: Characters of what a failed side wrote that are shown.
_TAIL = 3000


class Side:
    """A side that is running."""

    def __init__(self, function: str, environment: Mapping[str, str] | None = None, /, **options: Any) -> None:
        """Starts `module:function` with `options`, and `environment` over this process's own."""
        self.name = function
        self._errors: IO[str] = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 - open as long as the process
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and script
            [sys.executable, str(Path(__file__).resolve()), function, json.dumps(options), str(time.time())],
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            encoding="utf-8",
            env={**_inherited(), **_QUIET, **(environment or {})},
        )

    def end(self) -> None:
        """Ends the side if it still runs."""
        self._process.kill()
        self._process.wait()

    def result(self) -> dict[str, Any]:
        """What the side returns; raises RuntimeError with the end of its log where it failed."""
        answer, _ = self._process.communicate()
        with self._errors as errors:
            if self._process.returncode:
                errors.seek(0)
                raise RuntimeError(f"{self.name} failed\n{errors.read()[-_TAIL:]}")
        found: dict[str, Any] = json.loads(answer)
        return found


def run(function: str, environment: Mapping[str, str] | None = None, /, **options: Any) -> dict[str, Any]:
    """Runs one side to its end, and says so on standard error."""
    return at_once(1, function, environment, **options)[0]


def at_once(
    count: int, function: str, environment: Mapping[str, str] | None = None, /, **options: Any
) -> list[dict[str, Any]]:
    """Runs `count` processes of one side at the same time."""
    began = time.perf_counter()
    running = [Side(function, environment, **options) for _ in range(count)]
    try:
        found = [one.result() for one in running]
    finally:
        for one in running:
            one.end()
    several = f" {count} times at once" if count > 1 else ""
    tell(f"{function} {_brief(options)}{several}: {time.perf_counter() - began:.0f} s")
    return found


def interleaved(repeats: int, *sides: Callable[[], dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Results of each side, `repeats` times A B A B ..., so that a noisy minute hits all sides."""
    rounds = [[side() for side in sides] for _ in range(repeats)]
    return [list(results) for results in zip(*rounds, strict=True)]


def tell(text: str) -> None:
    """Progress, on standard error, so that standard output holds the table alone."""
    print(f"[{time.strftime('%H:%M:%S')}] {text}", file=sys.stderr, flush=True)


def spawned_at() -> float:
    """When this process was asked for, as time.time()."""
    return float(sys.argv[3])


def _inherited() -> dict[str, str]:
    """The environment of the driver, without what would set the threads of a side behind its back."""
    return {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}


def _brief(options: Mapping[str, Any]) -> str:
    return " ".join(f"{name}={value}" for name, value in options.items() if not isinstance(value, dict))


def _main() -> None:
    # What libraries print goes to the log; the result has the pipe to itself.
    answer = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    module, function = sys.argv[1].split(":")
    found = getattr(importlib.import_module(module), function)(**json.loads(sys.argv[2]))
    answer.write(json.dumps(found))
    answer.close()


if __name__ == "__main__":
    _main()
