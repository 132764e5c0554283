from pathlib import Path

import pytest

from fer_audit.report.findings import findings
from fer_audit.report.hygiene import attributes_table, blind_table, copies_table, shared_subjects, sizes_table
from fer_audit.report.page import page_html
from fer_audit.report.tidy import tidy_rows
from fer_audit.results import BlindCheck, CopyCount, DataReport, Estimate, Hygiene, ImageSizes


@pytest.fixture
def hygiene():
    auc = Estimate(value=0.71, low=0.66, high=0.76, n=900)
    return Hygiene(
        exact=CopyCount(groups=2, rows=5, conflicting_groups=1, across={"test rows with a copy in train": 3}),
        near=CopyCount(groups=4, rows=11, conflicting_groups=2, across={}),
        shared_subjects={"train and test": 6},
        blind=[
            BlindCheck(
                one="train", other="test", seed=None, auc=auc, telling="saturation", telling_auc=0.7, found=True
            ),
            BlindCheck(
                one="members",
                other="non-members",
                seed=0,
                auc=Estimate(value=None, note="few"),
                telling="",
                telling_auc=None,
                found=False,
            ),
        ],
        remarks=["7 images were left out"],
    )


def texts(table):
    return [[entry.text for entry in row] for row in table.rows]


def test_tables_say_what_was_found(hygiene):
    table = copies_table(hygiene)
    assert table.columns[-1].title == "test rows with a copy in train"
    assert texts(table) == [["exact", "2", "5", "1", "3"], ["exact and near", "4", "11", "2", "none"]]
    apart = hygiene.model_copy(update={"exact": hygiene.near})
    assert copies_table(apart).columns[-1].title == "Across splits"
    assert [row[-1] for row in texts(copies_table(apart))] == ["none", "none"]
    first, second = texts(blind_table(hygiene))
    assert first[-1] == "they differ"
    assert first[3:5] == ["saturation", "0.700"]
    assert second[-1] == "unknown"
    assert shared_subjects(hygiene) == "People in several splits: 6 in both train and test."
    assert "not known" in shared_subjects(None)
    assert copies_table(None).rows == ()
    assert blind_table(None).rows == ()


def test_sizes_and_attributes(results):
    sizes = [ImageSizes(split="train", smallest=(10, 12), median=(48, 48), largest=(99, 100), grey=0.5)]
    assert texts(sizes_table(sizes))[0][1] == "10 x 12"
    report = DataReport(
        name="faces",
        include_images=False,
        dataset=results.dataset,
        sizes=sizes,
        attributes={"age": {"old": 3, "young": 1}},
        sheets=[],
    )
    assert texts(attributes_table(report)) == [["age", "old", "3"], ["age", "young", "1"]]


def test_invalid_results_are_marked_wherever_they_stand(results, hygiene):
    results = results.model_copy(deep=True)  # the fixture is shared
    results.dataset.hygiene = hygiene
    assert not any("can't be trusted" in finding.title for finding in findings(results))
    (differ,) = [finding for finding in findings(results) if "different sources" in finding.title]
    assert "train from test (AUC 0.710" in differ.text
    assert "by saturation" in differ.text
    cell = results.cells[0]
    cell.privacy.invalid = "members can be told from non-members by saturation"
    told = [finding for finding in findings(results) if "can't be trusted" in finding.title]
    assert told[0].tone == "bad"
    assert told[0].text.startswith(f"In 1 of {len(results.cells)} cells members can be told")
    page = page_html(results, None, [], {"heat-maps": [], "corrupted-rows": []}, folder=Path())
    assert "7 images were left out" in page
    assert page.count("members can be told from non-members by saturation") >= 2
    assert "invalid; " in page
    rows = tidy_rows(results)
    assert {row["invalid"] for row in rows if row["cell"] == cell.id} == {cell.privacy.invalid}
    assert {row["invalid"] for row in rows if row["cell"] != cell.id} == {None}
