"""Bundles: what they hold, that they give the same page, and what is refused."""

import hashlib
import json
import os
import stat
import zipfile

import pytest

from fer_audit.cli.main import main
from fer_audit.errors import ResultsError
from fer_audit.report import bundle_archive
from fer_audit.report.bundle import CONTENTS, opened_bundle, write_bundle
from fer_audit.report.page import render


@pytest.fixture
def folder(few, make_folder):
    """A finished run with its page."""
    found = make_folder(few)
    render(found)
    return found


@pytest.fixture
def zipped(folder, tmp_path):
    path = tmp_path / "out.zip"
    write_bundle(folder, path)
    return path


def listed(contents):
    """The contents with digests of what is there."""
    known = json.loads(contents[CONTENTS])
    known["files"] = {name: hashlib.sha256(body).hexdigest() for name, body in contents.items() if name != CONTENTS}
    return contents | {CONTENTS: json.dumps(known).encode()}


def contents_of(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def rewritten(path, change):
    """A copy of a bundle whose files went through `change`, its digests being right again."""
    return written(path, listed(change(contents_of(path))))


def written(path, contents, *more):
    """An archive with these contents, and after them entries and bodies of `more`."""
    target = path.with_name("other.zip")
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in [*contents.items(), *more]:
            archive.writestr(name, body)
    return target


def refused(path, said):
    """Whatever is wrong is one sentence, and nothing is left behind."""
    with pytest.raises(ResultsError) as error, opened_bundle(path):
        pytest.fail("it was opened")
    assert said in str(error.value)
    assert "\n" not in str(error.value)
    assert str(path) in str(error.value)


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    """The folder that temporary folders are made in; whatever is tried, nothing stays there."""
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(place))
    yield place
    assert not list(place.iterdir())


def test_the_page_of_a_bundle_is_that_of_the_run_byte_for_byte(folder, zipped, capsys):
    page = zipped.with_suffix(".html")
    assert main(["report", str(zipped)]) == 0
    assert capsys.readouterr().out == f"report: {page}\n"
    assert page.read_bytes() == (folder / "report.html").read_bytes() == contents_of(zipped)["report.html"]
    assert main(["report", str(zipped), "--out", str(page.with_name("x.html"))]) == 0
    assert page.with_name("x.html").read_bytes() == page.read_bytes()


def test_equal_runs_have_equal_bundles_whatever_time_it_is(folder, zipped, tmp_path):
    for path in folder.rglob("*.*"):
        os.utime(path, (1e9, 1e9))
    write_bundle(folder, tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == zipped.read_bytes()
    assert list(contents_of(zipped)) == sorted(contents_of(zipped))


def test_it_says_what_the_run_depended_on_and_what_is_in_it(zipped, few):
    contents = contents_of(zipped)
    told = json.loads(contents[CONTENTS])
    origin = few.provenance
    assert told["bundle_version"] == 1
    assert told["environment"] == {
        "fer_audit": origin.fer_audit,
        "python": origin.python,
        "packages": origin.packages,
        "platform": origin.platform,
    }
    pictures = {"expressions.png", "augmentation.png", *(f"tile-{place}.png" for place in range(3))}
    csvs = {"records/a cell.csv", "suspects/a cell.csv"}
    assert set(told["files"]) == {"results.json", "run.json", "report.html", "results.csv", *pictures, *csvs}
    assert all(hashlib.sha256(contents[name]).hexdigest() == digest for name, digest in told["files"].items())


def test_real_people_are_in_it_only_where_the_page_may_show_them(few, make_folder, tmp_path):
    real = few.model_copy(update={"dataset": few.dataset.model_copy(update={"drawn": False})})
    for allowed in (False, True):
        write_bundle(make_folder(real.model_copy(update={"include_images": allowed})), tmp_path / "out.zip")
        assert ("expressions.png" in contents_of(tmp_path / "out.zip")) == allowed


def test_what_the_folder_lacks_is_not_in_it_and_the_page_says_so(folder, tmp_path, capsys):
    (folder / "records" / "a cell.csv").unlink()
    write_bundle(folder, tmp_path / "out.zip")
    contents = contents_of(tmp_path / "out.zip")
    assert "records/a cell.csv" not in contents
    assert b"not beside this page" in contents["report.html"]
    assert main(["report", str(tmp_path / "out.zip")]) == 0
    assert (tmp_path / "out.html").read_bytes() == contents["report.html"]


def test_files_outside_the_folder_are_never_taken_along(few, make_folder, tmp_path):
    privacy = few.cells[0].privacy.model_copy(update={"records": "../secret.csv"})
    (tmp_path / "run").mkdir()
    (tmp_path / "secret.csv").write_text("x")
    results = few.model_copy(update={"cells": [few.cells[0].model_copy(update={"privacy": privacy})]})
    folder = make_folder(results)
    (folder / "suspects" / "a cell.csv").unlink()
    (folder / "suspects" / "a cell.csv").symlink_to("/etc/hostname")
    write_bundle(folder, tmp_path / "run" / "out.zip")
    assert not any(name.endswith(".csv") and "/" in name for name in contents_of(tmp_path / "run" / "out.zip"))


def test_a_bundle_is_summed_up_judged_and_loaded_as_a_folder(folder, zipped, few, capsys):
    from fer_audit import load_results

    for command in (["report", "--format", "md"], ["gate", "--max", "mia_auc=1"]):
        told = []
        for place in (folder, zipped):
            main([command[0], str(place), *command[1:]])
            told.append(capsys.readouterr().out)
        assert told[0] == told[1]
        assert told[0]
    assert load_results(zipped).results == few


def test_two_bundles_are_compared(folder, zipped, tmp_path, capsys):
    other = tmp_path / "b.zip"
    other.write_bytes(zipped.read_bytes())
    assert main(["report", "--compare", str(zipped), str(other)]) == 0
    told = capsys.readouterr().out
    assert f"A: {zipped}\nB: {other}\n" in told
    assert f"report: {tmp_path / 'b-compare.html'}\n" in told
    assert str(other) in (tmp_path / "b-compare.html").read_text(encoding="utf-8")
    assert main(["report", "--compare", str(folder), str(zipped), "--out", str(tmp_path / "both.html")]) == 0
    assert (tmp_path / "both.html").exists()


def test_a_bundle_is_written_of_any_finished_run(folder, zipped, tmp_path, capsys):
    assert main(["report", str(folder), "--bundle", str(tmp_path / "mine.zip")]) == 0
    assert f"bundle: {tmp_path / 'mine.zip'}\nreport: " in capsys.readouterr().out
    assert (tmp_path / "mine.zip").read_bytes() == zipped.read_bytes()
    with opened_bundle(tmp_path / "mine.zip") as opened:
        assert (opened / "results.json").read_bytes() == (folder / "results.json").read_bytes()
    assert not opened.exists()


def test_a_page_that_differs_from_that_in_the_bundle_is_said(zipped, capsys):
    changed = rewritten(zipped, lambda contents: contents | {"report.html": b"<p>another</p>"})
    assert main(["report", str(changed)]) == 0
    assert "note: it is not the page in the bundle, which fer-audit " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("../evil.txt", "leads out of the bundle"),
        ("a/../../evil.txt", "leads out of the bundle"),
        ("/evil.txt", "is an absolute path"),
        ("C:evil.txt", "is an absolute path"),
        ("..\\evil.txt", "holds a backslash"),
        ("a/", "is no plain name of a file"),
        ("a//b", "is no plain name of a file"),
        ("./a", "is no plain name of a file"),
        ("a\nb", "is no plain name of a file"),
        ("x" * 2000, "is no plain name of a file"),
    ],
)
def test_names_that_are_no_plain_files_are_refused(zipped, name, said, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    refused(written(zipped, contents_of(zipped), (name, b"x")), said)
    assert sorted(tmp_path.rglob("*")) == sorted([*before, zipped.with_name("other.zip")])


def test_links_are_refused(zipped):
    link = zipfile.ZipInfo("link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    refused(written(zipped, contents_of(zipped), (link, b"/etc")), "is a link or another special file")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_twice_and_files_below_files_are_refused(zipped):
    refused(written(zipped, contents_of(zipped), ("run.json", b"{}")), "two files of one name")
    refused(written(zipped, contents_of(zipped), ("run.json/x", b"{}")), "'run.json/x' below another file")


def test_a_zip_bomb_is_refused_before_it_is_unpacked(zipped, monkeypatch):
    monkeypatch.setattr(bundle_archive, "EXPANSION_COUNTS_FROM", 1 << 20)
    monkeypatch.setattr(zipfile.ZipFile, "read", lambda *_: pytest.fail("it was unpacked"))
    contents = {"bundle.json": b"{}", "big": bytes(8 << 20)}
    refused(written(zipped, contents), "as a zip bomb does")


def test_too_much_is_refused(zipped, monkeypatch):
    monkeypatch.setattr(bundle_archive, "MOST_BYTES", 1000)
    refused(zipped, "a bundle to at most 1,000")
    monkeypatch.setattr(bundle_archive, "MOST_FILES", 2)
    refused(zipped, "files, a bundle at most 2")


def test_a_size_that_lies_is_found(zipped):
    content = bytearray(zipped.read_bytes())
    place = content.rindex(b"PK\x01\x02")
    content[place + 24 : place + 28] = (7).to_bytes(4, "little")  # of the last file, unpacked
    zipped.write_bytes(content)
    refused(zipped, "truncated or damaged")


def test_altered_missing_and_unlisted_files_are_told(zipped):
    contents = contents_of(zipped)
    altered = contents | {"results.json": contents["results.json"].replace(b"fixture", b"fixturE", 1)}
    refused(written(zipped, altered), "'results.json' is not what its digest says")
    missing = {name: body for name, body in contents.items() if name != "run.json"}
    refused(written(zipped, missing), "'run.json' is not there")
    refused(written(zipped, contents | {"more": b"x"}), "'more' is not listed in bundle.json")
    gone = {name: body for name, body in contents.items() if name != "results.json"}
    refused(written(zipped, listed(gone)), "has no results.json")


def test_another_version_is_told(zipped):
    told = contents_of(zipped)[CONTENTS]
    newer = told.replace(b'"bundle_version": 1', b'"bundle_version": 9')
    refused(written(zipped, contents_of(zipped) | {CONTENTS: newer}), "of version 9, this fer-audit reads version 1")
    odd = newer.replace(b'"files"', b'"more": 1, "files"')
    refused(written(zipped, contents_of(zipped) | {CONTENTS: odd}), "of version 9, this fer-audit reads version 1")
    for broken in (b"{", b"[]", b'{"bundle_version": 1}', b"\xff"):
        refused(written(zipped, contents_of(zipped) | {CONTENTS: broken}), "bundle.json")


def test_what_is_no_bundle_is_told(zipped, tmp_path):
    contents = contents_of(zipped)
    del contents[CONTENTS]
    refused(written(zipped, contents), "has no bundle.json")
    cut = tmp_path / "cut.zip"
    for length in (0, 3000, zipped.stat().st_size - 30):
        cut.write_bytes(zipped.read_bytes()[:length])
        refused(cut, "truncated or damaged")
    refused(tmp_path / "none.zip", "there is no such file")


def test_results_in_a_bundle_that_can_t_be_read_are_told_by_its_name(zipped, capsys):
    broken = rewritten(zipped, lambda contents: contents | {"results.json": b"{"})
    for command in (["report", str(broken)], ["gate", str(broken)], ["report", "--compare", str(zipped), str(broken)]):
        assert main(command) == 2
        assert capsys.readouterr().err.startswith(f"fer-audit: {broken}: results.json is not a Results file")


@pytest.mark.parametrize(
    ("target", "said"),
    [("absent/out.zip", "its folder does not exist"), (".", "it is a folder"), ("out.html", "that ends in .zip")],
)
def test_a_bundle_that_can_t_be_written_is_one_sentence(folder, target, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ResultsError, match=said):
        write_bundle(folder, tmp_path / target if target != "." else tmp_path)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--bundle", "b.zip"], "is a bundle already"),
        (["--out", "out.zip"], "which is a bundle"),
        (["--format", "md", "--out", "x.html"], "--out is where the page of --compare A B, or of a bundle"),
        (["--format", "md", "--bundle", "b.zip"], "leave it out with --compare and --format md"),
    ],
)
def test_options_that_don_t_go_with_a_bundle_are_refused(zipped, options, said, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["report", "out.zip", *options]) == 2
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1
