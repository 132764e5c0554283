import pytest

from fer_audit.report.pictures import pictures


def one_sheet(results, file):
    return results.model_copy(update={"sheets": [results.sheets[0].model_copy(update={"file": file})]})


def real(results, consent):
    dataset = results.dataset.model_copy(update={"drawn": False})
    return results.model_copy(update={"dataset": dataset, "include_images": consent})


def test_pictures_are_inlined(results, make_folder):
    shown = pictures(results, make_folder(results))
    assert len(shown) == 2
    assert all(picture.source.startswith("data:image/png;base64,") for picture in shown)


def test_people_are_shown_only_with_consent(results, make_folder):
    folder = make_folder(results)
    assert pictures(real(results, consent=False), folder) == []
    assert len(pictures(real(results, consent=True), folder)) == 2


@pytest.mark.parametrize(
    ("file", "problem"),
    [
        ("gone.png", "can't be read"),
        ("../outside.png", "not in the folder"),
        ("drawing.svg", "neither PNG nor JPEG"),
    ],
)
def test_a_bad_file_is_named_and_nothing_of_it_shown(results, tmp_path, file, problem):
    folder = tmp_path / "reports"
    folder.mkdir()
    (tmp_path / "outside.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (folder / "drawing.svg").write_text("<svg onload='alert(1)'/>")
    (picture,) = pictures(one_sheet(results, file), folder)
    assert picture.source == ""
    assert problem in picture.problem
    assert file in picture.problem
