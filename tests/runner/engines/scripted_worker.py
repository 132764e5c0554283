"""A worker that trains nothing: it speaks as the real one does, and does to each training what a script says.

The script is a file of JSON: from the seed of a training to what is done, a word for each attempt. Attempts are
counted in files, so that another process knows of them.
"""

import argparse
import json
import os
import select
import signal
import sys
import time
from pathlib import Path

from fer_audit.remote_store import open_at
from fer_audit.specs import TrainingJob

FOLDER = Path(os.environ["SCRIPT_FOLDER"])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--store", required=True)
    parser.add_argument("--plugins", action="append", type=Path, default=[])
    parser.add_argument("--gpu-memory-mb", type=int)
    arguments = parser.parse_args()
    store, script = open_at(arguments.store), json.loads((FOLDER / "script.json").read_text())
    if word_for(script, "start") == "die":
        sys.exit("can't start")
    say(event="ready")
    for line in sys.stdin:
        given = json.loads(line)
        job = TrainingJob.model_validate(given["training"])
        perform(store, job, script, wait=given["wait"])


def word_for(script, name):
    """What the script says of this attempt at a training, or at a start; done, where it says nothing."""
    said = script.get(name, [])
    attempts = FOLDER / ("attempts" if name != "start" else "starts")
    attempts.mkdir(exist_ok=True)
    with (attempts / name).open("a+") as file:
        file.write("x")
        number = file.tell()
    return said[min(number, len(said)) - 1] if said else "done"


def perform(store, job, script, *, wait):
    key = job.training.key
    with store.claim(*job.fit, wait=wait) as mine:
        if not mine:
            say(event="busy", key=key)
            return
        say(event="claimed", key=key)
        if store.has(*job.fit):
            say(event="done", key=key, laps={})
            return
        word = word_for(script, str(job.training.seed))
        say(event="step", key=key, done=1, steps=2)
        obey(word)
        if word in ("raise", "unbuildable"):
            say(event="failed", key=key, error="ValueError: as the script says", program=word == "unbuildable")
            return
        text = f"{job.training.seed} here"
        store.write(*job.fit, lambda folder: (folder / "made").write_text(text), title="made")
    say(event="done", key=key, laps={"start": 0.01, "steps": 0.02})


def obey(word):
    """Dies, hangs or waits, as a word says."""
    if word == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if word == "segfault":
        os.kill(os.getpid(), signal.SIGSEGV)
    if word == "hang":
        print("about to hang", file=sys.stderr, flush=True)
        select.select([sys.stdin], [], [], 1000)  # until who gave the job is gone, as the real one notices
        sys.exit()
    if word.startswith("sleep"):
        time.sleep(float(word.removeprefix("sleep")))
    if word.startswith("until"):
        wait_until(int(word.removeprefix("until")))


def wait_until(taken_up):
    """Waits until as many trainings were taken up, for a minute."""
    for _ in range(600):
        if len(list((FOLDER / "attempts").iterdir())) >= taken_up:
            return
        time.sleep(0.1)
    raise TimeoutError


def say(**event):
    print(json.dumps(event), flush=True)


if __name__ == "__main__":
    main()
