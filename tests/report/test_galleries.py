import pytest

from fer_audit.report import galleries as module
from fer_audit.report.galleries import galleries
from fer_audit.results import GalleryRow, Tile


def one_tile(results, file):
    gallery = results.galleries[0].model_copy(update={"rows": [GalleryRow(label="fear", tiles=[Tile(file=file)])]})
    return results.model_copy(update={"galleries": [gallery]})


def test_tiles_are_inlined_and_described(results, make_folder):
    (shelf,) = galleries(results, make_folder(results), "heat-maps")
    assert [label for label, _ in shelf.rows] == results.dataset.classes
    first, second = shelf.rows[0][1][:2]
    assert first.source.startswith("data:image/png;base64,")
    assert first.alternative == "neutral, image"
    assert second.alternative == "neutral, none, predicted happiness"


def test_rows_without_columns_are_described_by_their_text(results, make_folder):
    (shelf,) = galleries(results, make_folder(results), "corrupted-rows")
    assert shelf.rows[0][1][0].alternative == "memorised, given fear, true sadness, predicted fear"


@pytest.mark.parametrize("kind", ["heat-maps", "corrupted-rows"])
def test_people_are_shown_only_with_consent(results, make_folder, kind):
    folder = make_folder(results)
    real = results.model_copy(update={"dataset": results.dataset.model_copy(update={"drawn": False})})
    assert galleries(real, folder, kind) == []
    assert len(galleries(real.model_copy(update={"include_images": True}), folder, kind)) == 1


@pytest.mark.parametrize(
    ("file", "problem"),
    [
        ("gone.png", "can't be read"),
        ("../outside.png", "not in the folder"),
        ("/etc/hostname", "not in the folder"),
        ("drawing.svg", "neither PNG nor JPEG"),
    ],
)
def test_a_bad_file_is_named_and_nothing_of_it_shown(results, tmp_path, file, problem):
    folder = tmp_path / "reports"
    folder.mkdir()
    (tmp_path / "outside.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (folder / "drawing.svg").write_text("<svg onload='alert(1)'/>")
    (shelf,) = galleries(one_tile(results, file), folder, "heat-maps")
    tile = shelf.rows[0][1][0]
    assert tile.source == ""
    assert problem in tile.problem


def test_a_tile_without_a_picture_is_text(results, tmp_path):
    (shelf,) = galleries(one_tile(results, ""), tmp_path, "heat-maps")
    assert (shelf.rows[0][1][0].source, shelf.rows[0][1][0].problem) == ("", "")


def test_the_page_stays_light(results, make_folder, monkeypatch):
    many = results.model_copy(update={"galleries": results.galleries[:1] * 5})
    folder = make_folder(results)
    weight = sum(len(tile.source) for _, tiles in galleries(many, folder, "heat-maps")[0].rows for tile in tiles)
    for heaviest, shown in ((1, 1), (2 * weight, 2), (9 * weight, 5)):
        monkeypatch.setattr(module, "HEAVIEST", heaviest)
        assert len(galleries(many, folder, "heat-maps")) == shown
