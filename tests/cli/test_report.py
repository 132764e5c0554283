"""`fer-audit report`: the page again, a summary, and two runs compared."""

import pytest

from fer_audit.cli.main import main
from fer_audit.results import (
    DatasetSummary,
    PluginRecord,
    Provenance,
    Results,
    RunRecord,
    SplitSummary,
    read_results,
    write_results,
    write_run,
)


def bare(epochs):
    """Results of a grid without cells."""
    none = SplitSummary(rows=0, per_class=[0, 0])
    return Results(
        grid="bare",
        include_images=False,
        dataset=DatasetSummary(
            plugin=PluginRecord(name="synthface"),
            classes=["happiness", "sadness"],
            image_size=48,
            digest="ef" * 32,
            drawn=True,
            pool=none,
            test=none,
            population=none,
        ),
        costs=[],
        cells=[],
        provenance=Provenance(
            fer_audit="0.0.fixture",
            python="3.11.0",
            packages={"keras": "3.15.0"},
            platform="Linux x86_64",
            grid_text=f"epochs: {epochs}\n",
            grid_sha256="",
            recipe={"epochs": epochs},
            seeds=[0],
        ),
    )


@pytest.fixture
def folder(tmp_path):
    def make(name, epochs=3):
        (tmp_path / name).mkdir()
        write_results(bare(epochs), tmp_path / name / "results.json")
        write_run(RunRecord(started="2000-01-01T00:00:00+00:00"), tmp_path / name / "run.json")
        return tmp_path / name

    return make


def test_the_page_is_written_again(folder, capsys):
    path = folder("a")
    for given in (path, path / "results.json"):
        (path / "report.html").unlink(missing_ok=True)
        assert main(["report", str(given)]) == 0
        assert capsys.readouterr().out == f"report: {path / 'report.html'}\n"
        assert (path / "report.html").exists()


def test_markdown_is_printed_and_nothing_is_written(folder, capsys):
    from fer_audit.report.markdown import summary

    path = folder("a")
    assert main(["report", str(path), "--format", "md"]) == 0
    printed = capsys.readouterr().out
    assert printed == summary(read_results(path / "results.json"), RunRecord(started="2000-01-01T00:00:00+00:00"))
    assert sorted(file.name for file in path.iterdir()) == ["results.json", "run.json"]


def test_two_runs_are_compared(folder, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    one, other = folder("a", epochs=3), folder("b", epochs=5)
    assert main(["report", "--compare", str(one), str(other)]) == 0
    printed = capsys.readouterr().out
    assert f"A: {one}\nB: {other}\n" in printed
    assert " changed: recipe epochs." in printed
    assert ["recipe", "epochs", "3", "5"] in [line.split() for line in printed.splitlines()]
    assert printed.endswith(f"report: {other / 'compare.html'}\n")
    assert "+epochs: 5" in (other / "compare.html").read_text(encoding="utf-8")
    assert not (one / "compare.html").exists()


def test_a_run_is_compared_with_itself(folder, capsys):
    path = str(folder("a"))
    assert main(["report", "--compare", path, path]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "A and B are the same folder" in printed
    assert "Nothing changed in the provenance" in printed
    assert "No difference. Every number is the same" in printed


def test_the_page_goes_where_it_should(folder, tmp_path, capsys):
    one, other = folder("a"), folder("b")
    page = tmp_path / "two.html"
    assert main(["report", "--compare", str(one), str(other / "results.json"), "--out", str(page)]) == 0
    assert page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert not (other / "compare.html").exists()


def test_markup_in_names_is_text_in_the_terminal(folder, capsys):
    one, other = folder("a"), folder("b")
    told = bare(3)
    origin = told.provenance.model_copy(update={"recipe": {"[red]x[/red]": "[/]", "epochs": 3}})
    write_results(told.model_copy(update={"provenance": origin}), other / "results.json")
    assert main(["report", "--compare", str(one), str(other)]) == 0
    assert "[red]x[/red]" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "expected either a run"),
        (["A", "--compare", "A", "A"], "received both"),
        (["--compare", "A", "absent"], "absent/results.json: No such file or directory"),
        (["--compare", "A", "A/broken"], "broken/results.json is not a Results file"),
        (["absent", "--format", "md"], "run the grid first"),
        (["--compare", "A", "A", "--format", "md"], "--format md sums up one run"),
        (["A", "--out", "x.html"], "--out is where the page of --compare A B, or of a bundle, is written"),
        (["--compare", "A", "A", "--out", "absent/x.html"], "the folder of absent/x.html does not exist"),
        (["--compare", "A", "A", "--out", "A"], "received the folder A"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(folder, arguments, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (folder("A") / "broken").mkdir()
    (tmp_path / "A" / "broken" / "results.json").write_text("{}")
    assert main(["report", *arguments]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert said in error


def test_results_of_another_schema_are_refused(folder, capsys):
    folder = folder("a")
    results = folder / "results.json"
    results.write_text(results.read_text().replace('"schema_version": 2', '"schema_version": 99'))
    assert main(["report", str(folder)]) == 2
    assert "is of schema 99, this fer-audit reads schema 2" in capsys.readouterr().err
    results.write_text("{")
    assert main(["report", str(folder)]) == 2
    assert ": :" not in capsys.readouterr().err


def test_another_file_than_the_results_is_refused_and_kept(folder, capsys):
    run = folder("a")
    page = run / "run.json"
    before = page.read_text()
    for command in (["report", str(page)], ["gate", str(page), "--max", "accuracy=1"]):
        assert main(command) == 2
        assert capsys.readouterr().err.startswith(
            "fer-audit: expected a finished run: its folder, its results.json or a bundle (.zip); received the file "
        )
    assert page.read_text() == before
