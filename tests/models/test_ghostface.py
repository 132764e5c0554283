"""Triplet attention, where `ghostface` and `ghostface-origin` differ, against NumPy."""

import keras
import numpy as np
import pytest

from fer_audit.errors import PluginError
from fer_audit.models import ghostface
from fer_audit.models.ghostface import GhostFace, GhostFaceOrigin


@pytest.fixture
def maps():
    return np.random.default_rng(0).normal(size=(2, 6, 6, 4)).astype(np.float32)


def attention(swapped, kernels):
    """A network of one attention whose three gates have the given 7x7 kernels and biases (kernel, bias)."""
    inputs = keras.Input((6, 6, 4))
    model = keras.Model(inputs, ghostface._triplet_attention(inputs, swapped, name="a"))
    for branch, (kernel, bias) in zip(("hw", "hc", "ch"), kernels, strict=True):
        model.get_layer(f"a_{branch}_conv").set_weights([kernel, np.array([bias], np.float32)])
    return model


def gate(x, kernel, bias):
    """Misra et al., eq. 1, over the first two axes of `x`, with fresh batch normalisation (variance 1 + 0.001)."""
    pooled = np.pad(np.stack([x.max(-1), x.mean(-1)], axis=-1), ((3, 3), (3, 3), (0, 0)))
    rows, columns, _ = x.shape
    conv = [[(pooled[i : i + 7, j : j + 7] * kernel[..., 0]).sum() + bias for j in range(columns)] for i in range(rows)]
    return x / (1 + np.exp(-np.array(conv)[..., None] / np.sqrt(1.001)))


@pytest.mark.parametrize("swapped", [False, True])
def test_attention_is_the_papers_but_for_the_origins_transposition(maps, swapped):
    rng = np.random.default_rng(1)
    kernels = [(rng.normal(size=(7, 7, 2, 1), scale=0.2).astype(np.float32), float(rng.normal())) for _ in range(3)]
    expected = []
    for x in maps:
        rows_columns = gate(x, *kernels[0])
        rows_channels = gate(x.transpose(0, 2, 1), *kernels[1]).transpose(0, 2, 1)
        channels_rows = gate(x.transpose(2, 0, 1), *kernels[2]).transpose(1, 2, 0)
        if swapped:
            channels_rows = channels_rows.swapaxes(0, 1)
        expected.append((rows_columns + rows_channels + channels_rows) / 3)
    np.testing.assert_allclose(np.asarray(attention(swapped, kernels)(maps)), expected, atol=1e-5)


def test_origin_refuses_what_its_transposition_can_not_fit():
    with pytest.raises(PluginError, match="square images only, received 48x40"):
        GhostFaceOrigin().create((48, 40, 3), 7)
    assert GhostFace().create((48, 40, 3), 7).output_shape == (None, 7)


def test_origin_and_mended_network_share_their_weights():
    origin, mended = GhostFaceOrigin().create((48, 48, 3), 7), GhostFace().create((48, 48, 3), 7)
    weights = {weight.path: weight.shape for weight in origin.weights}
    assert weights == {weight.path: weight.shape for weight in mended.weights}
