"""Defences as trainings have them."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fer_audit.training as training
from fer_audit.defence_section import DEFENCES, DpSgd
from fer_audit.errors import FerAuditError, GridError
from fer_audit.grid import NONE, PluginRef, Training
from fer_audit.resolved_defence import _MECHANISM, guarantee_of, held_out, recipe_of, record_of, trained_with
from fer_audit.specs import PrivateTraining, SmoothedLabels, StoppedEarly
from fer_audit.store import array_digest


def defence(name, **params):
    return PluginRef(name=name, params=params)


PEOPLE = np.arange(60) // 4


def test_without_a_defence_the_recipe_is_that_of_the_grid():
    recipe = recipe_of(defence(NONE), Training(epochs=7, batch_size=16))
    assert (recipe.epochs, recipe.batch_size, recipe.learning_rate) == (7, 16, 1e-3)
    assert recipe.step is None
    assert guarantee_of(recipe, 512, None) is None
    assert trained_with(recipe, None, PEOPLE, 0, array_digest) is None
    assert record_of(defence(NONE)) is None


def test_private_training_may_have_a_recipe_of_its_own():
    given = defence("dp-sgd", epochs=3, learning_rate=0.1, batch_size=100, physical_batch=8)
    recipe = recipe_of(given, Training())
    assert (recipe.epochs, recipe.batch_size, recipe.learning_rate) == (3, 100, 0.1)
    assert recipe.step.physical_batch == 8
    assert recipe_of(defence("dp-sgd"), Training()).epochs == Training().epochs


@pytest.mark.parametrize(("params", "aim"), [({}, 8.0), ({"epsilon": 3}, 3.0)])
def test_noise_is_chosen_for_the_epsilon_that_is_aimed_at(params, aim):
    recipe = recipe_of(defence("dp-sgd", clip_norm=0.5, **params), Training(epochs=2, batch_size=32))
    guarantee = guarantee_of(recipe, 512, 4)
    assert 0.98 * aim < guarantee.epsilon <= aim
    assert guarantee.group.images == 4
    assert guarantee.group.epsilon > guarantee.epsilon
    spec = trained_with(recipe, guarantee, PEOPLE, 0, array_digest)
    assert isinstance(spec, PrivateTraining)
    assert (spec.clip_norm, spec.noise_multiplier) == (0.5, guarantee.noise_multiplier)
    assert (spec.sampling, spec.nominal_rows) == ("poisson", 512)


def test_every_module_of_the_mechanism_is_in_the_key_of_private_trainings():
    """All of `fer_audit.training` is what private training uses, what all trainings use, or what is asked of them."""
    modules = {path.stem for path in (Path(training.__path__[0])).glob("*.py")} - {"__init__"}
    shared = {"answers", "batches", "fit", "flat_weights", "fused_batch_norm", "held_out", "initial_weights"}
    shared |= {
        "optimizer",
        "program",
        "stopwatch",
        "swapped_layers",
        "traced",
        "trail",
        "trimmed_convolution",
        "weights",
    }
    asked = {"costs", "measures", "one_thread", "profiler", "queries", "quiet", "trained", "worker"}
    assert modules - shared - asked == set(_MECHANISM)


def test_noise_that_is_given_is_taken():
    recipe = recipe_of(defence("dp-sgd", noise_multiplier=1.25), Training(epochs=2))
    assert guarantee_of(recipe, 512, None).noise_multiplier == 1.25


def test_a_delta_that_publishing_a_row_would_keep_is_refused():
    recipe = recipe_of(defence("dp-sgd", delta=0.01), Training(epochs=2))
    with pytest.raises(FerAuditError, match="delta"):
        guarantee_of(recipe, 512, None)


def test_what_is_recorded_has_every_parameter():
    record = record_of(defence("dp-sgd", epsilon=3))
    assert record.params["epsilon"] == 3
    assert set(record.params) == set(DpSgd.model_fields)


def test_other_defences_are_trained_with_their_parameters():
    smoothed = recipe_of(defence("label-smoothing", smoothing=0.2), Training())
    assert trained_with(smoothed, None, PEOPLE, 0, array_digest) == SmoothedLabels(smoothing=0.2)
    kept = {}

    def keep(array):
        return kept.setdefault(array_digest(array), array) is not None and array_digest(array)

    stopped = trained_with(recipe_of(defence("early-stopping"), Training()), None, PEOPLE, 5, keep)
    assert isinstance(stopped, StoppedEarly)
    assert np.array_equal(kept[stopped.held_out], held_out(PEOPLE, 0.1, 5))
    assert {"dp-sgd", "label-smoothing", "early-stopping"} == set(DEFENCES)


@given(
    st.lists(st.integers(0, 8), min_size=2, max_size=40).filter(lambda people: len(set(people)) > 1),
    st.floats(0.01, 0.5),
    st.integers(0, 2**32),
)
def test_whole_people_are_held_out_and_someone_is_trained_on(people, share, seed):
    people = np.array(people)
    places = held_out(people, share, seed)
    inside = np.zeros(len(people), bool)
    inside[places] = True
    assert 0 < inside.sum() < len(people)
    assert inside.sum() >= share * len(people) or len(set(people[~inside])) == 1
    assert any(inside.sum() - (people == person).sum() < share * len(people) for person in people[inside])
    assert set(people[inside]).isdisjoint(people[~inside])


def test_one_person_cannot_be_held_out():
    with pytest.raises(GridError, match="received 1 in 9 training rows"):
        held_out(np.zeros(9, np.int64), 0.1, 0)
