"""The estimate of a private step's memory, counted by hand."""

from fer_audit.metrics.private_memory import private_step_bytes


def test_a_row_keeps_its_activations_and_where_it_is_made_its_gradient():
    sizes = {"params_trainable": 1000, "activation_output_bytes": 50}
    sums = 4 * 4 * 1000
    assert private_step_bytes("ghost", 8, **sizes) == 8 * 50 + sums
    assert private_step_bytes("per-example", 8, **sizes) == 8 * (50 + 2 * 4000) + sums
