import base64
import hashlib
import html
import json
import re

import pytest
from plotly.offline import get_plotlyjs_version

from fer_audit.report import page
from fer_audit.report.live import Live
from fer_audit.report.page import render
from fer_audit.report.payload import unpacked
from fer_audit.results import Cell, Explanation, GalleryRow, Gate, SourceFile, Tile

HOSTILE = "</script><img src=x onerror=\"document.title='owned'\">"


def text_of(folder):
    return render(folder).read_text(encoding="utf-8")


def payload(text):
    """The charts that the script draws."""
    found = re.search(r'<script type="application/gzip" id="payload">([A-Za-z0-9+/=]*)</script>', text)
    return unpacked(found.group(1))["charts"]


def without_bundle(text):
    return text.replace(page.resource("vendor/plotly-cartesian.min.js"), "")


def test_page_is_written_beside_the_results_and_light(results, make_folder):
    folder = make_folder(results)
    path = render(folder)
    assert path == folder / "report.html"
    assert path.stat().st_size < 3_500_000
    assert (folder / "results.csv").exists()
    assert not list(folder.glob(".*.tmp"))


def test_rendering_is_deterministic(few, make_folder):
    folder = make_folder(few)
    assert text_of(folder) == text_of(folder)


def test_nothing_is_loaded_from_elsewhere(few, make_folder):
    text = without_bundle(text_of(make_folder(few)))
    assert not re.findall(r"<(?:link|iframe|object|embed|base|form)\b", text)
    assert all(source.startswith("data:image/") for source in re.findall(r'\bsrc="([^"]*)"', text))
    linked = {"results.csv", "results.json", "./records/a%20cell.csv", "./suspects/a%20cell.csv"}
    assert set(re.findall(r'\bhref="([^#"][^"]*)"', text)) == linked
    assert "http://" not in text
    assert "https://" not in text
    assert not re.findall(r"url\(|@import", text)


def test_files_that_were_not_passed_on_are_not_linked(few, make_folder):
    folder = make_folder(few)
    for name in ("records", "suspects"):
        (folder / name / "a cell.csv").unlink()
    text = without_bundle(text_of(folder))
    assert set(re.findall(r'\bhref="([^#"][^"]*)"', text)) == {"results.csv", "results.json"}
    assert "not beside this page" in text


def test_policy_lets_only_the_scripts_of_the_page_run(few, make_folder):
    text = text_of(make_folder(few))
    policy = html.unescape(re.search(r'Content-Security-Policy" content="([^"]*)"', text).group(1))
    scripts = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    digests = {base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts}
    assert set(re.findall(r"'sha256-([^']*)'", policy)) == digests
    assert "default-src 'none'" in policy
    assert "unsafe-eval" not in policy


def hostile(few):
    """The results with every label that a user can choose made hostile."""
    cells = [
        cell.model_copy(
            update={
                "model": HOSTILE + cell.model,
                "augmentation": HOSTILE + cell.augmentation,
                "label_attack": HOSTILE + cell.label_attack,
                "id": HOSTILE + cell.id,
            }
        )
        for cell in few.cells
    ]
    cells[0] = cells[0].model_copy(update={"status": "failed", "error": HOSTILE, "utility": None, "privacy": None})
    cells[1] = hostile_measures(cells[1])
    sheets = [sheet.model_copy(update={"title": HOSTILE, "labels": [HOSTILE]}) for sheet in few.sheets]
    classes = [HOSTILE + name for name in few.dataset.classes]
    named = ("model", "augmentation", "defence", "kind")
    curves = [one.model_copy(update={name: HOSTILE + getattr(one, name) for name in named}) for one in few.noise_curves]
    return few.model_copy(
        update={
            "grid": HOSTILE,
            "cells": cells,
            "sheets": sheets,
            "noise_curves": curves,
            "galleries": [hostile_gallery(gallery) for gallery in few.galleries],
            "dataset": few.dataset.model_copy(update={"classes": classes}),
            "provenance": few.provenance.model_copy(update={"grid_text": HOSTILE}),
        }
    )


def hostile_measures(cell):
    """The cell with every text of its measures made hostile."""
    kinds = [kind.model_copy(update={"kind": HOSTILE + kind.kind}) for kind in cell.corruptions.kinds]
    return cell.model_copy(
        update={
            "corruption": cell.corruption.model_copy(update={"remarks": [HOSTILE]}),
            "label_errors": cell.label_errors.model_copy(update={"file": HOSTILE}),
            "corruptions": cell.corruptions.model_copy(update={"kinds": kinds, "baseline": HOSTILE}),
            "batch_invariance": cell.batch_invariance.model_copy(update={"explanation": HOSTILE}),
            "explanation": Explanation(refused=HOSTILE),
        }
    )


def hostile_gallery(gallery):
    """The gallery with every text made hostile, and pictures that don't exist."""
    rows = [GalleryRow(label=HOSTILE, tiles=[Tile(file=HOSTILE, text=HOSTILE), Tile(file="tile-0.png", text=HOSTILE)])]
    told = {"title": HOSTILE, "caption": HOSTILE, "columns": [HOSTILE, HOSTILE], "rows": rows}
    return gallery.model_copy(update=told)


def test_labels_are_text(few, make_folder):
    text = text_of(make_folder(hostile(few)))
    assert "<img src=x" not in text
    assert html.escape(HOSTILE) in text.replace("&#34;", "&quot;").replace("&#39;", "&#x27;")
    assert text.count("</script>") == text.count("<script")
    names = payload(text)["recall"]["variants"]
    drawn = next(iter(names.values()))["data"][0]["x"][0]
    assert "<" not in drawn
    assert html.unescape(drawn).startswith(HOSTILE)
    kinds = next(iter(payload(text)["corruptions"]["variants"].values()))["data"][0]["y"]
    assert "<" not in kinds[0]
    assert not re.search(r'href="[^"]*[<>]', text)


def test_defences_and_reasons_are_text(broken_promise, make_folder):
    cells = [
        cell.model_copy(
            update={
                "defence": HOSTILE + cell.defence,
                "canaries": cell.canaries.model_copy(update={"file": HOSTILE, "method": HOSTILE}),
                "guarantee": cell.guarantee and cell.guarantee.model_copy(update={"accountant": HOSTILE}),
            }
        )
        for cell in broken_promise.cells
    ]
    gone = [one.model_copy(update={"id": HOSTILE, "reason": HOSTILE}) for one in broken_promise.left_out]
    text = text_of(make_folder(broken_promise.model_copy(update={"cells": cells, "left_out": gone})))
    assert "<img src=x" not in text
    assert text.count("</script>") == text.count("<script")
    assert not re.search(r'href="[^"]*[<>]', text)


def test_promises_have_their_section_words_and_tables(private, make_folder):
    text = without_bundle(text_of(make_folder(private)))
    for name in ("guarantees", "promises", "matched", "left_out"):
        assert f'data-table="{name}"' in text
    assert '<section id="promises">' in text
    assert '<a href="#promises">' in text
    assert "<dt>canary</dt>" in text
    assert "No audit of a promise of privacy refutes it" in text
    assert private.left_out[0].reason in text
    assert "is more than all private training has" in text


def test_a_refuted_promise_stands_in_the_headline(broken_promise, make_folder):
    text = without_bundle(text_of(make_folder(broken_promise)))
    headline = text[text.index('class="card verdict bad"') :].partition('<dl class="tiles">')[0]
    assert "<h2>Refutes a promise of privacy</h2>" in headline
    assert "show a privacy loss of at least 3.30" in headline
    assert '<li class="bad"' in text.partition("A promise of privacy is refuted")[0].rpartition("\n")[2]


def test_a_refuted_promise_is_told_while_the_run_lasts(broken_promise, make_folder, unmeasured):
    last = broken_promise.cells[-1].model_copy(update=unmeasured | {"status": "missing"})
    cells = [*broken_promise.cells[:-1], last]
    live = Live(done=13, total=14, trained=19, trainings=20, left=None, every=5)
    text = render(make_folder(broken_promise.model_copy(update={"cells": cells})), live).read_text(encoding="utf-8")
    assert "Refutes a promise of privacy" in text
    assert "Not judged yet" not in text


def test_a_grid_without_defences_has_nothing_of_them(few, make_folder):
    text = without_bundle(text_of(make_folder(few)))
    for name in ("guarantees", "promises", "matched", "left_out"):
        assert f'data-table="{name}"' not in text
    for said in ("Defence", "defence", "Epsilon promised", "promise of privacy", "canary</dt>", "At equal accuracy"):
        assert said not in re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)


def test_groups_of_rows_are_text(few, make_folder):
    cell = few.cells[1]
    attacks = [
        attack.model_copy(
            update={"slices": [one.model_copy(update={"family": HOSTILE, "group": HOSTILE}) for one in attack.slices]}
        )
        for attack in cell.privacy.attacks
    ]
    privacy = cell.privacy.model_copy(update={"attacks": attacks, "records": HOSTILE})
    cells = [cell.model_copy(update={"privacy": privacy})]
    text = text_of(make_folder(few.model_copy(update={"cells": cells})))
    assert "<img src=x" not in text
    assert text.count("</script>") == text.count("<script")
    assert not re.search(r'href="[^"]*[<>]', text)


def test_signals_alone_hide_what_is_not_known_of_them(audited, make_folder):
    text = without_bundle(text_of(make_folder(audited)))
    for hidden in ("all-cells", "labels", "images", "explanations", "cost", "training", "classes"):
        assert f'id="{hidden}"' not in text
        assert f'href="#{hidden}"' not in text
    for said in ("None px", "Grid SHA-256", "Pictures of people", "Recipe", "clean labels", "Test split", "0 test"):
        assert said not in text
    assert "What was asked" in text
    assert "Rows audited" in text
    assert {"roc", "targets", "auc-0", "memorisation-0"} == set(payload(text))


def test_confidence_is_that_of_the_results(audited, make_folder):
    cell = audited.cells[0]
    one = cell.privacy.attacks[0]
    attacks = [one.model_copy(update={"auc": one.auc.model_copy(update={"confidence": 0.9})})]
    changed = cell.model_copy(update={"privacy": cell.privacy.model_copy(update={"attacks": attacks})})
    text = without_bundle(text_of(make_folder(audited.model_copy(update={"cells": [changed]}))))
    assert "90\u202f% intervals" in text
    assert "95\u202f% intervals" not in text
    assert "95 % intervals" not in text


def test_privacy_tables_are_on_the_page(few, make_folder):
    text = text_of(make_folder(few))
    for name in ("decisions", "transferred", "slices", "canaries", "exposure", "memorisation"):
        assert f'data-table="{name}"' in text
    assert "corrected after Holm" in text


def test_measures_have_their_sections(few, make_folder):
    text = text_of(make_folder(few))
    for name in ("labels", "images", "explanations"):
        assert f'<section id="{name}">' in text
        assert f'<a href="#{name}">' in text
    tables = ("noise", "noise_area", "corrupted_rows", "label_errors", "image_corruptions", "corruption_errors")
    for name in (*tables, "adversarial", "batch_invariance", "explanations"):
        assert f'data-table="{name}"' in text
    assert '<a href="#canaries-table">' in text
    drawn = {"noise-0", "corrupted-rows", "corruptions", "errors", "adversarial-0"}
    assert drawn <= set(payload(text))


ONE = {
    "memorisation": ("labels", "corrupted_rows"),
    "label_errors": ("labels", "label_errors"),
    "corruptions": ("images", "image_corruptions"),
    "adversarial": ("images", "adversarial"),
    "batch_invariance": ("images", "batch_invariance"),
    "explanation": ("explanations", "explanations"),
}


@pytest.mark.parametrize("measure", ONE)
def test_what_was_not_measured_is_absent(few, make_folder, measure):
    others = [name for name in ONE if name != measure]
    cells = [cell.model_copy(update=dict.fromkeys(others)) for cell in few.cells]
    text = text_of(make_folder(few.model_copy(update={"cells": cells, "noise_curves": [], "galleries": []})))
    section, table = ONE[measure]
    shown = {name for name in ("labels", "images", "explanations") if f'id="{name}"' in text}
    assert shown == {section} == {name for name in ("labels", "images", "explanations") if f'href="#{name}"' in text}
    assert {found for _, found in ONE.values() if f'data-table="{found}"' in text} == {table}


def test_remarks_of_label_attacks_are_shown(few, make_folder):
    (remark,) = few.cells[1].corruption.remarks
    assert f"<li>{few.cells[1].label_attack}: {remark}</li>" in text_of(make_folder(few))


def test_galleries_are_on_the_page(few, make_folder):
    text = without_bundle(text_of(make_folder(few)))
    tiles = [tile for gallery in few.galleries for row in gallery.rows for tile in row.tiles]
    pictures = re.findall(r'<td><img src="data:image/png;base64,[^"]+" alt="([^"]+)">', text)
    assert len(pictures) == len(tiles)
    assert pictures[0].startswith("memorised, given")
    assert pictures[-1].startswith("anger, randaug+mixup")


def test_failed_and_missing_cells_are_shown(few, make_folder):
    undone = {"utility": None, "privacy": None}
    first = few.cells[0].model_copy(update={"status": "failed", "error": "out of memory\nat step 7", **undone})
    second = few.cells[1].model_copy(update={"status": "missing", **undone})
    text = text_of(make_folder(few.model_copy(update={"cells": [first, second, *few.cells[2:]]})))
    assert "out of memory\nat step 7" in text
    assert 'id="failures"' in text
    assert "2 of 4" in text
    assert first.id not in payload(text)["roc"]["variants"]


def test_a_run_that_lasts_alarms_nobody(few, make_folder, unmeasured):
    to_come = [
        cell.model_copy(update=unmeasured | {"status": "missing", "error": "not trained yet"}) for cell in few.cells
    ]
    gates = [Gate(metric="mia_auc", max=0.6)]
    live = Live(done=0, total=4, trained=1, trainings=20, left=None, every=5)
    nothing = few.model_copy(update={"cells": to_come, "gates": gates, "noise_curves": [], "galleries": []})
    text = render(make_folder(nothing), live).read_text(encoding="utf-8")
    assert "Not judged yet" in text
    assert "Nothing yet: no cell is done." in text
    assert 'id="failures"' not in text
    assert "The grid is not complete" not in text
    assert "No membership attack was run, so" not in text.partition('id="all-cells"')[0]
    broken = to_come[0].model_copy(update={"status": "failed", "error": "it broke"})
    some = nothing.model_copy(update={"cells": [broken, few.cells[1], *to_come[2:]]})
    text = render(make_folder(some), live).read_text(encoding="utf-8")
    assert text.count('<article class="card failure">') == 1
    assert "1 failed and 0 are missing of 2 cells" in text


def test_whole_grid_failed(few, make_folder, unmeasured):
    undone = unmeasured | {"status": "failed", "error": "no"}
    cells: list[Cell] = [cell.model_copy(update=undone) for cell in few.cells]
    found = few.model_copy(update={"cells": cells, "noise_curves": [], "galleries": []})
    text = text_of(make_folder(found))
    assert "0 of 4" in text
    for hidden in ("labels", "images", "explanations"):
        assert f'id="{hidden}"' not in text
        assert f'href="#{hidden}"' not in text
    assert set(payload(text)) == {"transition"}


@pytest.mark.parametrize("options", [{"attacks": {}}, {"seeds": (0, 1)}], ids=["no attacks", "two seeds"])
def test_other_grids_render(make_results, make_folder, options):
    assert "What the results say" in text_of(make_folder(make_results(augmentations=["none"], **options)))


def test_empty_grid_renders(few, make_folder):
    assert "0 of 0" in text_of(make_folder(few.model_copy(update={"cells": [], "costs": []})))


def test_run_record_may_be_absent(few, make_folder):
    text = text_of(make_folder(few, run=False))
    assert "no record of the run" in text
    assert "Speed was not measured" in text


def test_unresolvable_rate_says_what_it_needs(few, make_folder):
    text = text_of(make_folder(few))
    assert "not resolvable" in text
    assert "(needs at least 1,000)" in text


def test_provenance_is_verbatim(few, make_folder):
    text = text_of(make_folder(few))
    assert few.provenance.grid_text in text
    assert few.dataset.digest in text
    assert "2000-01-01T00:00:00+00:00" in text


def with_code(results, *files):
    return results.model_copy(update={"provenance": results.provenance.model_copy(update={"code": list(files)})})


def test_code_from_outside_is_told_file_by_file(few, make_folder):
    assert "Code from outside fer-audit" not in text_of(make_folder(few))
    told = with_code(
        few,
        SourceFile(path="plugins/mine.py", sha256="ab" * 32, plugins=["model mine", "augmentation mine"]),
        SourceFile(path="plugins/<b>.py", sha256="cd" * 32),
        SourceFile(path="plugins/broken.py", sha256="ef" * 32, loaded=False),
    )
    text = text_of(make_folder(told))
    table = text[text.index('id="outside_code-table"') :].partition("</table>")[0]
    assert "Code from outside fer-audit" in table
    assert "model mine, augmentation mine" in table
    assert "imported, not used" in table
    assert "not loaded" in table
    assert "abababababab<" in table
    assert "plugins/&lt;b&gt;.py" in table


def test_every_chart_has_a_place_a_description_and_its_numbers(few, make_folder):
    text = text_of(make_folder(few))
    for name in payload(text):
        assert re.search(rf'data-chart="{name}" role="group" aria-label="[^"]{{40,}}"', text)
        assert f'<details data-numbers="{name}">' in text


def test_bundle_is_the_version_that_plotly_writes_for():
    banner = page.resource("vendor/plotly-cartesian.min.js")[:200]
    version = re.search(r"v(\d+\.\d+)\.", banner).group(1)
    assert get_plotlyjs_version().startswith(version + ".")


#: What results.json of schema 2 has only since robustness, explanations, layer costs and defences are measured.
NEWER = {
    "": ("noise_curves", "galleries", "matched", "left_out"),
    "cells": (
        "memorisation", "label_errors", "corruptions", "adversarial", "batch_invariance", "explanation", "defence",
        "defence_plugin", "guarantee", "canaries", "many_runs",
    ),
    "costs": (
        "tf_profiler", "keras_flops", "fvcore", "activation_peak_bytes", "activation_output_bytes", "keras_file_bytes",
        "layers",
    ),
}  # fmt: skip


def test_results_of_before_there_were_measures_are_read_and_shown(few, make_folder):
    folder = make_folder(few)
    old = json.loads((folder / "results.json").read_text())
    for place, fields in NEWER.items():
        for record in [old] if not place else old[place]:
            for field in fields:
                del record[field]
    (folder / "results.json").write_text(json.dumps(old))
    text = render(folder).read_text()
    assert 'id="all-cells"' in text
    assert 'id="images"' not in text
    assert 'id="explanations"' not in text
