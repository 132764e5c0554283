"""A worker process as an engine holds it: jobs go in and messages come out, one JSON a line."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from fer_audit.store_faults import explained

#: What every worker is, but for tests and benchmarks of what is around it.
WORKER = "fer_audit.training.worker"

#: Bytes of a worker's log that go with a failure.
_LOG_TAIL = 2000

#: Hears of each message, and of the end of the process as None.
Listener = Callable[["WorkerProcess", dict[str, Any] | None], None]


@dataclass(frozen=True)
class WorkerCommand:
    """How a worker is started."""

    store: str  #: address of the store that it works on
    plugin_folders: Sequence[Path]
    environment: Mapping[str, str]
    module: str = WORKER
    gpu_memory_mb: int | None = None  #: most that it takes of a graphics card

    def arguments(self) -> list[str]:
        """The command line."""
        # With `=`, as both may begin with a dash.
        words = [sys.executable, "-m", self.module, f"--store={self.store}"]
        words += [f"--plugins={folder}" for folder in self.plugin_folders]
        if self.gpu_memory_mb is not None:
            words += ["--gpu-memory-mb", str(self.gpu_memory_mb)]
        return words


@dataclass(eq=False)
class WorkerProcess:
    """A process that is running; `listener` is called on a thread of its own."""

    number: int
    command: WorkerCommand
    log: Path
    listener: Listener
    ready: bool = False
    last_heard: float = field(default_factory=time.monotonic)
    _job_at: int = field(default=0, init=False)  #: byte of the log at which its last job began

    def __post_init__(self) -> None:
        with explained(self.log.parent.parent):
            self.log.parent.mkdir(parents=True, exist_ok=True)
            opened = self.log.open("w", encoding="utf-8")
        with opened as errors:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                self.command.arguments(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                encoding="utf-8",
                env=dict(self.command.environment),
                start_new_session=True,  # Ctrl-C reaches the driver alone, which then ends its workers
            )
        threading.Thread(target=self._listen, daemon=True).start()
        self._burial = threading.Thread(target=self._end_children, daemon=True)
        self._burial.start()

    @property
    def silent_seconds(self) -> float:
        """Seconds since it was last heard of, or given something."""
        return time.monotonic() - self.last_heard

    def give(self, job: Mapping[str, Any]) -> None:
        """Hands it a job; one that just died is heard of by its listener."""
        self.last_heard = time.monotonic()
        with contextlib.suppress(OSError):
            self._job_at = self.log.stat().st_size
        with contextlib.suppress(OSError):
            pipe = _pipe(self._process.stdin)
            pipe.write(json.dumps(job) + "\n")
            pipe.flush()

    def end(self) -> None:
        """Ends the process; its other pipe is closed by who listens to it."""
        if self._process.returncode is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._gone()
        with contextlib.suppress(OSError):  # what was written to it last can't be delivered any more
            _pipe(self._process.stdin).close()

    def last_words(self) -> str:
        """The end of the log of a process that is gone, and how it ended."""
        return f"{self.log_tail()}\nits worker died with status {self._gone()}"

    def log_tail(self) -> str:
        """The end of its log, as far as that is of its last job."""
        try:
            with self.log.open("rb") as log:
                log.seek(max(self._job_at, log.seek(0, os.SEEK_END) - _LOG_TAIL))
                return log.read().decode(errors="replace").strip()
        except OSError:
            return ""

    def _gone(self) -> int:
        """Waits for the end of the process, and of what it started; returns its status."""
        self._burial.join()
        return self._process.wait()

    def _end_children(self) -> None:
        """Ends what plug-ins have started, once their worker is gone: a fork of it would keep its pipe open.

        The status is left to be taken, so that no other process has the worker's number meanwhile.
        """
        os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT)
        os.killpg(self._process.pid, signal.SIGKILL)

    def _listen(self) -> None:
        pipe = _pipe(self._process.stdout)
        try:
            for line in pipe:
                # A worker that is killed while it writes leaves half a line; its end is told next.
                with contextlib.suppress(ValueError):
                    message = json.loads(line)
                    self.last_heard = time.monotonic()
                    self.ready = self.ready or message["event"] == "ready"
                    self.listener(self, message)
        finally:
            pipe.close()
            self.listener(self, None)


def hung(worker: WorkerProcess) -> str:
    """Why the training of a worker that gave no sign has failed."""
    return (
        f"{worker.log_tail()}\nno sign of its worker for {worker.silent_seconds / 60:.3g} minutes "
        f"(resources.timeout_minutes), so it was ended"
    )


def _pipe(pipe: IO[str] | None) -> IO[str]:
    """The pipe of a process that was started with one."""
    if pipe is None:
        raise RuntimeError("the worker was started without a pipe")
    return pipe


#: Settings of the libraries that compute, which may change what is computed, and so are never inherited.
_STEERING = ("TF_", "XLA_", "KERAS_", "DNNL_", "ONEDNN_", "OMP_", "MKL_", "OPENBLAS_", "CUDA_")

#: What every worker gets instead: TensorFlow's chatter stays out of the log, and libraries beside it use one thread.
#: Graphics cards are hidden: several workers would fight for one, and its sums are not the same every time.
SETTINGS = {
    "KERAS_BACKEND": "tensorflow",
    "TF_CPP_MIN_LOG_LEVEL": "2",
    "TF_ENABLE_ONEDNN_OPTS": "1",
    "OMP_NUM_THREADS": "1",
    "CUDA_VISIBLE_DEVICES": "-1",
    "PYTHONUTF8": "1",
}


def worker_environment(inherited: Mapping[str, str], home: Path, cards: str | None = None) -> dict[str, str]:
    """The environment of a worker: `inherited` without what steers computing; `home` is for Keras' own settings.

    Two trainings with one key are then computed alike, whatever shell they are started from, and whatever
    `~/.keras/keras.json` says. `cards` are the graphics cards that the worker may use, where it may use any.
    """
    kept = {name: value for name, value in inherited.items() if not name.startswith(_STEERING)}
    allowed = {} if cards is None else {"CUDA_VISIBLE_DEVICES": cards}
    return {**kept, **SETTINGS, **allowed, "KERAS_HOME": str(home.resolve())}
