"""Files are written together or not at all."""

import pytest

from fer_audit.errors import PluginError
from fer_audit.scaffold import new_files
from fer_audit.scaffold.new_files import write_new

TEXTS = {"a.py": "A = 1\n", "test_a.py": "é\n"}


def tree(folder):
    return {str(path.relative_to(folder)): path.is_dir() or path.read_bytes() for path in folder.rglob("*")}


def test_folders_are_made_where_they_are_missing(tmp_path):
    paths = write_new(tmp_path / "x" / "y", TEXTS)
    assert [path.read_bytes() for path in paths] == [b"A = 1\n", "é\n".encode()]
    assert tree(tmp_path).keys() == {"x", "x/y", "x/y/a.py", "x/y/test_a.py"}


@pytest.mark.parametrize("there", TEXTS)
def test_a_file_that_is_there_is_left_alone_and_nothing_is_written(tmp_path, there):
    (tmp_path / there).write_text("mine")
    with pytest.raises(PluginError, match=rf"can't write .*{there}: file exists; choose another name"):
        write_new(tmp_path, TEXTS)
    assert tree(tmp_path) == {there: b"mine"}


def test_a_link_into_nowhere_is_left_alone(tmp_path):
    (tmp_path / "test_a.py").symlink_to("nowhere")
    with pytest.raises(PluginError, match="file exists"):
        write_new(tmp_path, TEXTS)
    assert [path.name for path in tmp_path.iterdir()] == ["test_a.py"]


def test_a_file_in_place_of_the_folder_is_told(tmp_path):
    (tmp_path / "plugins").write_text("mine")
    with pytest.raises(PluginError, match=r"can't write .*plugins.*: not a directory; .* with --in DIR"):
        write_new(tmp_path / "plugins" / "deep", TEXTS)
    assert tree(tmp_path) == {"plugins": b"mine"}


@pytest.mark.parametrize("error", [OSError(28, "No space left on device", "b.py"), KeyboardInterrupt()])
def test_a_failure_in_between_takes_everything_back(tmp_path, monkeypatch, error):
    def stopped(paths, texts, strict):
        yield from list(zip(paths, texts, strict=strict))[:1]
        raise error

    monkeypatch.setattr(new_files, "zip", stopped, raising=False)
    with pytest.raises((PluginError, KeyboardInterrupt)):
        write_new(tmp_path / "x" / "y", TEXTS)
    assert tree(tmp_path) == {}
