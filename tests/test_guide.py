"""The guide of CONTRIBUTING.md, typed as it stands there: from nothing to a new row in the report."""

import csv
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

TEXT = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text(encoding="utf-8")
GUIDE = re.search(r"<!-- guide -->(.*?)<!-- end of guide -->", TEXT, re.DOTALL).group(1)
BLOCK = re.compile(r"(?:<!-- file: (\S+) -->\n)?```(\w+)\n(.*?)```", re.DOTALL)


@pytest.fixture(scope="module")
def followed(tmp_path_factory):
    """The folder in which everything was typed, and what each command printed."""
    folder = tmp_path_factory.mktemp("guide")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    printed = []
    for name, language, text in BLOCK.findall(GUIDE):
        if name:
            (folder / name).write_text(text)
            continue
        assert language == "sh"
        done = subprocess.run(
            ["/bin/bash", "-euo", "pipefail", "-c", text],
            cwd=folder,
            env={**os.environ, "PATH": path, "COLUMNS": "100"},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, f"{text}\n{done.stdout}{done.stderr}"
        printed.append(done.stdout)
    return folder, printed


def test_every_block_of_the_guide_is_typed(followed):
    assert len(followed[1]) == 5


def test_the_new_attack_has_a_row_in_the_report(followed):
    folder, _ = followed
    results = json.loads((folder / "reports/study/results.json").read_text())
    [cell] = results["cells"]
    named = {attack["attack"]["name"]: attack for attack in cell["privacy"]["attacks"]}
    assert list(named) == ["loss-threshold", "my-attack"]
    assert named["my-attack"]["attack"]["source"] not in ("", named["loss-threshold"]["attack"]["source"])
    with (folder / "reports/study/results.csv").open() as file:
        assert any("my-attack" in row.values() for row in csv.DictReader(file))
    assert "my-attack" in (folder / "reports/study/report.html").read_text()


def test_nothing_is_trained_for_a_new_attack(followed):
    assert "7 trained, 0 taken from the store" in followed[1][2]
    assert "0 trained, 7 taken from the store" in followed[1][3]
    assert "my-attack" in followed[1][4]


def test_the_plan_names_the_file(followed):
    assert "plugins/my_attack.py" in followed[1][2]
