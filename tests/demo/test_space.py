"""The folder that is a Space: it runs without fer-audit, and answers like the run's own networks."""

import json
import subprocess
import sys

import numpy as np
import pytest
import yaml
from PIL import Image

from fer_audit.cli.main import main
from fer_audit.demo.space import without_front_matter

# Runs in the Space's folder, where an import of fer_audit fails.
ASK = """
import json, sys
sys.modules["fer_audit"] = None
import app
from demo_code.demo.looked_at import look_at
from demo_code.demo.picture import read_picture
from pathlib import Path

shown = look_at(read_picture(Path(sys.argv[1])), app.MtcnnDetector(), app.readers[0].image_size, app.Cut())
image = shown.parts[-1].image
answer = {
    reader.name: [reader.probabilities(image).tolist(), [reader.heat(image, of).tolist() for of in range(7)]]
    for reader in app.readers
}
print(json.dumps([type(app.demo).__name__, answer]))
"""


@pytest.fixture(scope="module")
def space(finished):
    out, store = finished.place / "space", finished.place / ".fer-audit"
    chosen = [part for cell in finished.cells for part in ("--cell", cell)]
    assert main(["demo", str(finished.folder), *chosen, "--store", str(store), "--space", str(out)]) == 0
    return out


@pytest.mark.release
def test_it_answers_like_the_networks_without_fer_audit(finished, space, tmp_path):
    from fer_audit.demo.keras_reader import KerasReader

    face = finished.faces[5]
    Image.fromarray(face).save(tmp_path / "face.png")
    done = subprocess.run(
        [sys.executable, "-c", ASK, str(tmp_path / "face.png")],
        cwd=space,
        env=finished.environment(),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    kind, answers = json.loads(done.stdout.splitlines()[-1])
    assert kind == "Blocks"
    assert list(answers) == list(finished.cells)
    for cell, (probabilities, maps) in answers.items():
        chosen = finished.chosen(cell)
        reader = KerasReader(cell, chosen.trained.network, chosen.classes, chosen.image_size)
        np.testing.assert_allclose(probabilities, reader.probabilities(face), atol=1e-5)
        assert np.max(maps) == pytest.approx(1)
        for of, heat in enumerate(maps):
            np.testing.assert_allclose(heat, reader.heat(face, of), atol=1e-3)


def test_its_readme_is_what_hugging_face_reads(finished, space):
    import gradio

    head, card = (space / "README.md").read_text(encoding="utf-8").split("---\n", 2)[1:]
    known = yaml.safe_load(head)
    assert (known["sdk"], known["sdk_version"]) == ("gradio", gradio.__version__)
    assert (space / known["app_file"]).is_file()
    assert known["title"]
    for cell in finished.cells:
        assert cell in card


def test_a_cards_own_head_is_left_out():
    assert without_front_matter("---\nlibrary_name: keras\n---\n\n# Card\n\n---\n") == "# Card\n\n---\n"
    assert without_front_matter("# Card\n") == "# Card\n"


def test_its_requirements_are_pinned_to_this_environment(space):
    from importlib import metadata

    lines = dict(line.split("==") for line in (space / "requirements.txt").read_text().splitlines())
    assert lines["tensorflow"] == metadata.version("tensorflow")
    assert lines["mtcnn"] == metadata.version("mtcnn")
    assert {"gradio", "numpy", "pillow", "opencv-python-headless"} <= set(lines)


def test_its_code_imports_nothing_of_fer_audit(space):
    for path in space.rglob("*.py"):
        assert "import fer_audit" not in path.read_text()
        assert "from fer_audit" not in path.read_text()


def test_a_folder_that_is_not_empty_is_refused(finished, space, capsys):
    assert main(["demo", str(finished.folder), "--cell", finished.cells[0], "--space", str(space)]) == 2
    assert "is not empty; expected a new folder" in capsys.readouterr().err
