"""The example page: made by this code, from the shipped grid."""

import hashlib
import re
import shutil
from pathlib import Path

from fer_audit.report.page import render
from fer_audit.report.payload import unpacked
from fer_audit.results import read_results, read_run

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "reports" / "example"
PAYLOAD = re.compile(r'(id="payload">)([^<]*)<')


def parts(page):
    """The page without its packed data, and the data: the same data may be packed into other bytes elsewhere."""
    text = page.read_text(encoding="utf-8")
    return PAYLOAD.sub(r"\1<", text), unpacked(PAYLOAD.search(text).group(2))


def test_the_example_is_what_this_code_makes(tmp_path):
    made = tmp_path / "example"
    shutil.copytree(EXAMPLE, made)
    render(made)
    (text, data), (kept, kept_data) = parts(made / "report.html"), parts(EXAMPLE / "report.html")
    assert data == kept_data, "run `make example`"
    assert text == kept, "run `make example`"
    assert (made / "results.csv").read_text() == (EXAMPLE / "results.csv").read_text()


def test_the_example_is_of_the_shipped_grid():
    results = read_results(EXAMPLE / "results.json")
    grid = (ROOT / "experiments" / "grid.yaml").read_bytes()
    assert results.provenance.grid_sha256 == hashlib.sha256(grid).hexdigest()
    assert results.dataset.drawn
    assert all(cell.status == "done" for cell in results.cells)
    assert read_run(EXAMPLE / "run.json").command.endswith("fer-audit run experiments/grid.yaml")


def test_the_example_is_light_and_linked_from_the_readme():
    assert (EXAMPLE / "report.html").stat().st_size < 3_000_000
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "(reports/example/report.html)" in readme
    assert "(reports/example/first-screen.png)" in readme
    assert (EXAMPLE / "first-screen.png").read_bytes().startswith(b"\x89PNG")
