"""What the page does with the file that a browser names."""

import numpy as np
import pytest
from PIL import Image

from fer_audit.demo.page import Demo, _Asked


class Reader:
    """Answers without a network."""

    name, classes, image_size, no_heat = "none", ("happiness", "anger"), 32, "there is no network"

    def probabilities(self, image):
        return np.array([0.6, 0.4])

    def heat(self, image, of):
        return None


def nobody(*_, **__):
    return []


@pytest.fixture
def asked(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))
    (tmp_path / "uploads" / "one").mkdir(parents=True)
    return _Asked(Demo((Reader(),), ("card",), nobody, prefer_whole=True))


@pytest.mark.parametrize("way", ["plain", "around"])
def test_a_file_that_was_not_uploaded_is_neither_read_nor_removed(asked, tmp_path, way):
    victim = tmp_path / "victim" / "mine.png"
    victim.parent.mkdir()
    Image.new("RGB", (40, 40)).save(victim)
    path = victim if way == "plain" else tmp_path / "uploads" / ".." / "victim" / "mine.png"
    said = asked.given({"path": str(path)})
    assert "no picture that was uploaded here" in said[1]
    assert victim.exists()


def test_a_link_out_of_the_uploads_is_not_followed(asked, tmp_path):
    victim = tmp_path / "mine.png"
    Image.new("RGB", (40, 40)).save(victim)
    (tmp_path / "uploads" / "one" / "link.png").symlink_to(victim)
    asked.given({"path": str(tmp_path / "uploads" / "one" / "link.png")})
    assert victim.exists()


def test_an_upload_that_is_no_picture_is_removed_all_the_same(asked, tmp_path):
    path = tmp_path / "uploads" / "one" / "words.png"
    path.write_text("no picture")
    assert "no picture that can be read" in asked.given({"path": str(path)})[1]
    assert not path.parent.exists()
