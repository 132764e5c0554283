"""Two drivers on one store at the same moment: each training is done once, and nothing is torn."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.release


def test_the_same_grid_twice_is_shared_between_both_drivers(undisturbed, study, grid, wait_for, tmp_path):
    one = study(tmp_path / "one", grid, store=tmp_path / "store")
    two = study(tmp_path / "two", grid, store=tmp_path / "store")
    for end in map(wait_for, [one.start("--workers=1"), two.start("--workers=1")]):
        assert end.code == 0, end.said
        assert not end.err
    _check_shared(one, two, trainings=10)
    for each in (one, two):
        assert each.file("results.json") == undisturbed.file("results.json")
        assert each.file("results.csv") == undisturbed.file("results.csv")


def test_grids_that_share_half_of_their_trainings_do_these_once(undisturbed, study, grid, wait_for, tmp_path):
    one = study(tmp_path / "one", grid, store=tmp_path / "store")
    two = study(tmp_path / "two", grid | {"seeds": [1, 2]}, store=tmp_path / "store")
    for end in map(wait_for, [one.start("--workers=1"), two.start("--workers=1")]):
        assert end.code == 0, end.said
    _check_shared(one, two, trainings=15)
    assert one.file("results.json") == undisturbed.file("results.json")
    alone = study(tmp_path / "alone", grid | {"seeds": [1, 2]})
    assert alone.run("--workers=2").code == 0
    assert two.file("results.json") == alone.file("results.json")


def _check_shared(one, two, trainings):
    """Each training was made once by one of the two drivers, and neither did nothing."""
    assert len(one.finished_trainings()) == trainings
    # A driver that finds a training done by the other has not trained it. As many as there are: none was done twice.
    made = [each.record["trained"] for each in (one, two)]
    assert sum(made) == trainings
    assert min(made) > 0, "the drivers never worked at the same time, so the test shows nothing"
    assert {line["training"] for line in one.attempts("finished")} == one.finished_trainings()
    assert not one.attempts("failed")
    assert not one.attempts("lost")
    one.check_undamaged()
