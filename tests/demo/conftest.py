"""One tiny finished run, of two models, for all tests of the demo."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from scipy.special import softmax

from fer_audit.data.synthface import Synthface

SIZE = 32
CELLS = ("mini-xception/none/none/seed0", "mini-xception/randaug/none/seed0")
GRID = f"""
dataset: {{name: synthface, params: {{rows: 70, test_rows: 28}}}}
models: [mini-xception]
augmentations: [none, randaug]
attacks: {{membership: []}}
training: {{image_size: {SIZE}, epochs: 1, batch_size: 16}}
"""


@dataclass
class Finished:
    """A folder with a finished run in it."""

    place: Path
    faces: np.ndarray  #: of the test split (N, H, W, 3)

    cells = CELLS

    @property
    def folder(self):
        return self.place / "reports" / "tiny"

    @staticmethod
    def environment(**more):
        return os.environ | {"COLUMNS": "200", "TF_CPP_MIN_LOG_LEVEL": "3"} | more

    @staticmethod
    def command(*arguments):
        return [sys.executable, "-m", "fer_audit", *map(str, arguments)]

    def chosen(self, cell):
        from fer_audit.export.chosen import chosen_model
        from fer_audit.store import Store

        return chosen_model(self.folder, cell, Store(self.place / ".fer-audit"), [])

    def probabilities(self, cell, image):
        """What the network itself answers, by class."""
        found = self.chosen(cell)
        logits = np.asarray(found.trained.network(image[None].astype(np.float32), training=False))
        return dict(zip(found.classes, softmax(logits.astype(np.float64), axis=1)[0], strict=True))


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    place = tmp_path_factory.mktemp("demo")
    (place / "tiny.yaml").write_text(GRID)
    found = Finished(place, Synthface(rows=70, test_rows=28).read(SIZE, Path()).test.images)
    run, env = found.command("run", "tiny.yaml"), found.environment()
    done = subprocess.run(run, cwd=place, env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return found
