"""Gradients of single examples that are made, and those that are not, are the same."""

import numpy as np
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_audit.training.example_gradients import (
    FactoredGradients,
    MadeGradients,
    bias_gradients,
    factoring_pays,
    product_gradients,
)


def drawn(*shape):
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 4), st.integers(1, 6), st.integers(1, 5), st.integers(1, 5))
def test_factored_and_made_are_sums_of_outer_products(examples, positions, inputs, outputs):
    factors, upstream = drawn(examples, positions, inputs), drawn(examples, positions, outputs)[::-1].copy()
    weights = drawn(examples)
    gradients = np.einsum("bti,bto->bio", factors, upstream)
    made = MadeGradients(tf.constant(gradients))
    aside = MadeGradients(tf.constant(np.moveaxis(gradients, 0, 1)), axis=1)
    factored = FactoredGradients(tf.constant(factors), tf.constant(upstream))
    for found in (made, aside, factored):
        np.testing.assert_allclose(found.squared_norms(), (gradients**2).sum((1, 2)), rtol=1e-4, atol=1e-4)
        total = np.reshape(found.weighted_sum(tf.constant(weights)), (inputs, outputs))
        np.testing.assert_allclose(total, np.einsum("b,bio->io", weights, gradients), rtol=1e-4, atol=1e-4)


def test_a_bias_is_added_at_every_position():
    upstream = drawn(3, 2, 4, 5)
    found = bias_gradients(tf.constant(upstream))
    np.testing.assert_allclose(found.squared_norms(), (upstream.sum((1, 2)) ** 2).sum(1), rtol=1e-5)
    np.testing.assert_allclose(found.weighted_sum(tf.ones(3)), upstream.sum((0, 1, 2)), rtol=1e-4, atol=1e-5)


def test_gradients_are_made_where_positions_are_many_and_weights_few():
    assert factoring_pays(positions=1, inputs=240, outputs=240)
    assert not factoring_pays(positions=576, inputs=72, outputs=8)
    assert isinstance(product_gradients(tf.ones([2, 1, 240]), tf.ones([2, 1, 240])), FactoredGradients)
    assert isinstance(product_gradients(tf.ones([2, 576, 72]), tf.ones([2, 576, 8])), MadeGradients)
