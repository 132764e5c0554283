"""Epsilon of a training and noise for an epsilon, against tensorflow-privacy, closed forms and one another."""

from __future__ import annotations

import math
import re
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_audit.errors import AccountingError
from fer_audit.metrics.accounting import account, noise_for, steps_of
from fer_audit.metrics.gaussian_mechanism import gaussian_epsilon
from fer_audit.results import Guarantee

#: Each example takes up to a second.
few = settings(deadline=None, max_examples=15)


def guarantee(**changed: Any) -> Guarantee:
    usual = {"rows": 512, "batch_size": 32, "epochs": 14, "noise_multiplier": 1.0, "clip_norm": 1.0, "delta": 1e-5}
    return account(**usual | {"sampling": "poisson", "group": None} | changed)


def said(accountant: str, training: tuple[int, int, int], noise: float, delta: float) -> tuple[float, float]:
    """What tensorflow-privacy prints: epsilon with each example once an epoch, and under Poisson sampling."""
    sys.skip_tf_privacy_import = True  # type: ignore[attr-defined]
    from tensorflow_privacy.privacy.analysis import compute_dp_sgd_privacy_lib as lib

    kind = lib.AccountantType(accountant)
    text = lib.compute_dp_sgd_privacy_statement(*training, noise, delta, used_microbatching=False, accountant_type=kind)
    once, poisson = re.findall(r"Epsilon .+: +([\d.]+)", text)
    return float(once), float(poisson)


@pytest.mark.parametrize("training", [(512, 32, 14), (4096, 64, 3), (256, 64, 1)])
@pytest.mark.parametrize("noise", [0.6, 1.0, 3.0])
@pytest.mark.parametrize("delta", [1e-5, 1e-8])
def test_renyi_figures_are_those_of_tensorflow_privacy(
    training: tuple[int, int, int], noise: float, delta: float
) -> None:
    rows, batch_size, epochs = training
    found = guarantee(rows=rows, batch_size=batch_size, epochs=epochs, noise_multiplier=noise, delta=delta)
    once, poisson = said("RDP", training, noise, delta)
    assert found.epsilon_rdp == pytest.approx(poisson, abs=5.1e-4)  # three decimals are printed
    assert 0.8 * once < found.epsilon_shuffled < once  # by RDP, where ours is exact


@pytest.mark.parametrize("training", [(512, 32, 14), (256, 64, 1)])
@pytest.mark.parametrize("noise", [0.9, 1.5, 4.0])
def test_pld_figures_are_those_of_tensorflow_privacy(training: tuple[int, int, int], noise: float) -> None:
    rows, batch_size, epochs = training
    found = guarantee(rows=rows, batch_size=batch_size, epochs=epochs, noise_multiplier=noise)
    once, poisson = said("PLD", training, noise, 1e-5)
    assert found.epsilon_pld == pytest.approx(poisson, rel=2e-4, abs=5.1e-4)  # rounded on another grid
    assert found.epsilon_shuffled == pytest.approx(once, rel=2e-4, abs=5.1e-4)


@few
@given(st.integers(20, 20_000), st.floats(0.002, 1), st.integers(1, 40), st.floats(0.4, 20), st.floats(-9, -5))
def test_pld_is_never_above_rdp(rows: int, rate: float, epochs: int, noise: float, exponent: float) -> None:
    batch_size = math.ceil(rate * rows)
    found = guarantee(rows=rows, batch_size=batch_size, epochs=epochs, noise_multiplier=noise, delta=10**exponent)
    assert found.epsilon == found.epsilon_pld
    assert found.epsilon_pld is not None
    assert found.epsilon_rdp is not None
    assert 0 <= found.epsilon_pld <= found.epsilon_rdp * (1 + 1e-4) + 1e-4
    assert found.steps == steps_of(rows, batch_size, epochs)


@pytest.mark.parametrize("noise", [0.5, 1.0, 5.0])
@pytest.mark.parametrize("epochs", [1, 9, 100])
def test_full_batches_are_one_gaussian_mechanism(noise: float, epochs: int) -> None:
    found = guarantee(batch_size=512, epochs=epochs, noise_multiplier=noise)
    expected = gaussian_epsilon(1e-5, math.sqrt(epochs) / noise)
    assert expected <= found.epsilon <= expected * (1 + 2e-4)
    assert found.epsilon_shuffled == pytest.approx(expected)
    assert (found.sampling_rate, found.steps) == (1, epochs)
    assert guarantee(batch_size=700, epochs=epochs, noise_multiplier=noise).epsilon == found.epsilon
    once = guarantee(batch_size=512, epochs=1, noise_multiplier=noise / math.sqrt(epochs))
    assert once.epsilon == pytest.approx(found.epsilon, rel=1e-6)


def test_shuffled_rows_have_no_amplification() -> None:
    found = guarantee(sampling="shuffle")
    assert found.epsilon == found.epsilon_shuffled == pytest.approx(gaussian_epsilon(1e-5, math.sqrt(14)))
    assert (found.epsilon_pld, found.epsilon_rdp) == (None, None)
    assert found.epsilon_shuffled == guarantee().epsilon_shuffled > guarantee().epsilon
    assert "Poisson" not in found.accountant
    assert "Poisson" in guarantee().accountant


def test_more_noise_and_fewer_looks_are_more_private() -> None:
    usual = guarantee().epsilon
    assert guarantee(noise_multiplier=1.1).epsilon < usual < guarantee(epochs=15).epsilon
    assert guarantee(rows=1024).epsilon < usual < guarantee(delta=1e-6).epsilon
    assert guarantee(clip_norm=3.0).epsilon == usual


@pytest.mark.parametrize("sampling", ["poisson", "shuffle"])
@pytest.mark.parametrize("epsilon", [0.3, 3, 50])
@pytest.mark.parametrize("training", [(512, 32, 14), (999, 64, 2), (40, 64, 5)])
def test_noise_is_the_least_that_keeps_the_epsilon(
    training: tuple[int, int, int], epsilon: float, sampling: str
) -> None:
    rows, batch_size, epochs = training
    asked: dict[str, Any] = {"rows": rows, "batch_size": batch_size, "epochs": epochs, "sampling": sampling}
    noise = noise_for(epsilon, **asked, delta=1e-5)
    assert noise == float(f"{noise:.4g}")
    assert guarantee(**asked, noise_multiplier=noise).epsilon <= epsilon
    less = noise - 10.0 ** (math.floor(math.log10(noise)) - 3)
    assert guarantee(**asked, noise_multiplier=less).epsilon > epsilon


def test_a_person_with_several_images_is_promised_less() -> None:
    found = {images: guarantee(group=images).group for images in (1, 2, 5)}
    assert all(group is not None and group.images == images for images, group in found.items())
    epsilons = [group.epsilon for group in found.values() if group is not None]
    assert epsilons[0] == guarantee().epsilon < epsilons[1] < epsilons[2]
    assert guarantee().group is None
    for changed in ({"sampling": "shuffle"}, {"batch_size": 512}):
        group = guarantee(group=3, **changed).group
        assert group is not None
        assert group.epsilon == pytest.approx(gaussian_epsilon(1e-5, 3 * math.sqrt(14)))


@pytest.mark.parametrize(
    ("rows", "batch_size", "epochs", "steps"), [(512, 32, 14, 224), (513, 32, 14, 238), (9, 32, 2, 2)]
)
def test_the_last_batch_of_an_epoch_may_be_smaller(rows: int, batch_size: int, epochs: int, steps: int) -> None:
    assert steps_of(rows, batch_size, epochs) == steps


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"delta": 1 / 512}, "publishing one of them at random would keep it: expected less than 1 / 512"),
        ({"delta": 1e-11}, "lost in rounding: expected at least 1e-10"),
        ({"rows": 0}, "at least 1, received 0, 32 and 14"),
        ({"epochs": 0}, "at least 1, received 512, 32 and 0"),
        ({"sampling": "sequential"}, "poisson or shuffle, received 'sequential'"),
        ({"noise_multiplier": 0.0}, "at least 0.001, received 0"),
        ({"noise_multiplier": math.inf}, "received inf"),
    ],
)
def test_what_promises_nothing_is_refused(changed: dict[str, Any], told: str) -> None:
    with pytest.raises(AccountingError, match=re.escape(told)):
        guarantee(**changed)


@pytest.mark.parametrize("epsilon", [1e-9, 1e9, math.nan])
def test_an_epsilon_out_of_reach_is_refused(epsilon: float) -> None:
    with pytest.raises(AccountingError, match=re.escape("no noise multiplier from 0.01 to 10000 is")):
        noise_for(epsilon, rows=512, batch_size=32, epochs=14, delta=1e-5, sampling="shuffle")


def test_accounting_is_quiet_and_needs_no_tensorflow() -> None:
    code = (
        "import sys; from fer_audit.metrics.accounting import account; assert 'dp_accounting' not in sys.modules; "
        "account(rows=64, batch_size=8, epochs=2, noise_multiplier=1, clip_norm=1, delta=1e-5, sampling='poisson', "
        "group=2); assert 'tensorflow' not in sys.modules"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
