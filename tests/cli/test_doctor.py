import pytest

from fer_audit.cli import doctor
from fer_audit.cli.main import main


def test_this_environment_is_healthy(tmp_path, capsys):
    assert main(["doctor", "--store", str(tmp_path / "none" / "yet")]) == 0
    told = capsys.readouterr().out
    assert "OK    tensorflow: 2.21" in told
    assert "OK    OpenCV: 2 packages of one version" in told
    assert all(line[:5].strip() in ("OK", "note") for line in told.splitlines())


def test_weights_that_are_there_are_ok(tmp_path, monkeypatch):
    monkeypatch.setenv("DEEPFACE_HOME", str(tmp_path))
    assert doctor._detector_weights().state == "note"
    path = tmp_path / ".deepface" / "weights" / "retinaface.onnx"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"weights")
    assert doctor._detector_weights().state == "OK"


@pytest.mark.parametrize(
    ("versions", "wrong"),
    [
        ({}, {"tensorflow", "opencv-python"}),
        ({"opencv-python": "4.11", "opencv-contrib-python-headless": "4.12"}, {"OpenCV"}),
        ({"numpy": "2.1.0"}, {"numpy"}),
    ],
)
def test_missing_and_conflicting_packages_come_with_their_fix(tmp_path, monkeypatch, versions, wrong):
    monkeypatch.setattr(doctor, "_version", versions.get)
    found = {check.what: check for check in doctor.checks(None, tmp_path)}
    assert all(found[name].state == "wrong" for name in wrong)
    assert all("install" in found[name].said for name in wrong)


def test_little_room_is_told(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(doctor, "_LEAST_DISK", 1e9)
    monkeypatch.setattr(doctor, "_LEAST_MEMORY", 1e9)
    assert main(["doctor", "--store", str(tmp_path)]) == 3
    told = capsys.readouterr().out
    assert "wrong disk:" in told
    assert "wrong memory:" in told


def test_the_dataset_of_a_grid_is_looked_for(tmp_path, capsys):
    grid = tmp_path / "g.yaml"
    grid.write_text("dataset: {name: rafdb, params: {root: RAF}}\nmodels: [ghostface]\nplugins: [mine]\n")
    assert main(["doctor", str(grid)]) == 3
    assert "plug-in folder" in capsys.readouterr().out
    (tmp_path / "mine").mkdir()
    assert main(["doctor", str(grid)]) == 3
    assert "wrong dataset: no folder" in capsys.readouterr().out
    grid.write_text("dataset: synthface\nmodels: [ghostface]\n")
    assert main(["doctor", str(grid)]) == 0
    assert "OK    dataset: synthface is drawn" in capsys.readouterr().out
    grid.write_text("dataset: synthface\n")
    assert main(["doctor", str(grid)]) == 3
