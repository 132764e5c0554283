"""`fer-audit demo` on what a user may get wrong; the page itself is tested in tests/demo."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from fer_audit.cli.demo import _cut
from fer_audit.cli.main import main
from fer_audit.demo.looked_at import Cut
from fer_audit.errors import FerAuditError


def said(capsys, *arguments):
    assert main(["demo", *map(str, arguments)]) == 2
    return capsys.readouterr().err


def test_without_gradio_one_sentence_says_how_to_get_it(monkeypatch, capsys, tmp_path):
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "gradio" else found(name))
    assert "pip install 'fer-audit[demo]'" in said(capsys, tmp_path)


def test_three_cells_are_too_many(capsys, tmp_path):
    assert "one or two cells, received 3" in said(capsys, tmp_path, *["--cell", "a"] * 3)


@pytest.mark.parametrize("port", [-1, 65536])
def test_a_port_that_cannot_be(capsys, tmp_path, port):
    assert f"--port must be 0 to 65535, received {port}" in said(capsys, tmp_path, f"--port={port}")


def test_a_space_is_written_into_nothing_else(capsys, tmp_path):
    (tmp_path / "file").write_text("x")
    assert "is not empty" in said(capsys, tmp_path, "--space", tmp_path)
    assert "is a file" in said(capsys, tmp_path, "--space", tmp_path / "file")


def test_another_address_is_warned_of(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("fer_audit.demo.server.serve", lambda *rest: None)
    monkeypatch.setattr("fer_audit.cli.demo._demo", lambda options: None)
    assert main(["demo", str(tmp_path), "--host", "0.0.0.0", "--port", "0", "--no-browser"]) == 0  # noqa: S104
    assert "lets anyone on the network reach this page" in capsys.readouterr().out
    assert main(["demo", str(tmp_path), "--port", "0", "--no-browser"]) == 0
    assert "anyone on the network" not in capsys.readouterr().out


def test_faces_are_cut_as_a_prepared_folder_says(tmp_path):
    settings = {"detector": "mtcnn", "size": 96, "margin": 0.5, "align": False, "choose": "largest"}
    (tmp_path / "prepare.json").write_text(json.dumps({"settings": settings}))
    assert _cut(tmp_path) == Cut(96, 0.5, align=False)
    assert _cut(None) == Cut(112, 0.25, align=True)
    with pytest.raises(FerAuditError, match=r"no prepare\.json that can be read"):
        _cut(tmp_path / "none")


def test_defaults_are_those_of_prepare():
    from fer_audit.data.faces.prepare import Settings

    settings = Settings("mtcnn")
    assert Cut() == Cut(settings.size, settings.margin, settings.align)


def test_help_needs_neither_tensorflow_nor_gradio():
    script = (
        "import sys\nfrom fer_audit.cli.main import main\n"
        "try:\n    main(['demo', '--help'])\nexcept SystemExit:\n    pass\n"
        "assert not {'tensorflow', 'keras', 'gradio', 'cv2'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=Path(__file__).parent)
    assert done.returncode == 0, done.stderr
    assert "--space" in done.stdout
