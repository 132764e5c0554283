"""The recipes for clusters, as far as one machine can try them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

FOLDER = Path(__file__).resolve().parents[1] / "experiments" / "clusters"
PINS = dict(line.split("==") for line in (FOLDER.parents[1] / "constraints.txt").read_text().split() if "==" in line)

pytest.importorskip("ray", reason="Ray is not installed (pip install 'fer-audit[ray]')")


def test_machines_behind_ssh_are_what_ray_up_takes():
    from ray.autoscaler._private.util import prepare_config, validate_config

    config = yaml.safe_load((FOLDER / "ray-up.yaml").read_text(encoding="utf-8"))
    validate_config(prepare_config(config))
    with pytest.raises(Exception, match="'typo' was unexpected"):
        validate_config(prepare_config({**config, "typo": 1}))


def test_pods_all_have_one_image_and_the_pinned_ray():
    job = yaml.safe_load((FOLDER / "kubernetes.yaml").read_text(encoding="utf-8"))
    cluster = job["spec"]["rayClusterSpec"]
    assert cluster["rayVersion"] == PINS["ray"]
    assert cluster["authOptions"] == {"mode": "token"}
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    containers = [container for group in groups for container in group["template"]["spec"]["containers"]]
    assert {container["image"] for container in containers} == {"IMAGE"}
    # The grid and the options of the command are what fer-audit takes.
    words = job["spec"]["entrypoint"].split()
    assert words[:2] == ["fer-audit", "run"]
    from fer_audit.cli.main import _parser

    options = _parser("run").parse_args(words[1:])
    assert (options.engine, str(options.store)) == ("ray", "s3://BUCKET/fer-audit")
    assert (FOLDER.parent / options.grid.name).is_file()


def test_the_script_for_slurm_is_a_script():
    subprocess.run(["/bin/bash", "-n", str(FOLDER / "slurm.sh")], check=True)


@pytest.mark.release
def test_the_script_for_slurm_on_this_machine(tmp_path):
    """With commands in Slurm's place that take this machine for the only node. It ends all of Ray on the machine."""
    commands = {
        "srun": 'while case "$1" in --*) true;; *) false;; esac; do shift; done\nexec "$@"',
        "scontrol": "echo 127.0.0.1",
    }
    for name, text in commands.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    grid = tmp_path / "tiny.yaml"
    grid.write_text(
        "dataset: {name: synthface, params: {rows: 60, test_rows: 20, population_rows: 0}}\n"
        "models: [mini-xception]\ntraining: {image_size: 16, epochs: 1}\nmeasures: {batch_invariance: false}\n"
    )
    path = os.pathsep.join([str(tmp_path), str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {"SLURM_JOB_NODELIST": "n1", "SLURM_JOB_NUM_NODES": "1", "SLURM_CPUS_PER_TASK": "1"}
    command = ["/bin/bash", str(FOLDER / "slurm.sh"), str(grid), f"--store={tmp_path}/s", f"--reports={tmp_path}"]
    ended = subprocess.run(command, env={**os.environ, **environment, "PATH": path}, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "ray: 1 node with room for 1 worker" in ended.stdout
    assert (tmp_path / "tiny" / "report.html").is_file()
