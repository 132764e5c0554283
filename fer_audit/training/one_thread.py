"""TensorFlow on one thread, as a worker trains and asks: for commands that measure in their own process."""

from __future__ import annotations

import os

from fer_audit.training.quiet import quiet


def start_on_one_thread() -> str:
    """Starts TensorFlow without its chatter, and says what it runs on; to be called before anything imports it.

    Where it runs already, it keeps the threads that it has.
    """
    os.environ |= {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1", "OMP_NUM_THREADS": "1"}
    with quiet():
        import tensorflow as tf

        # As programs have it, so that a network is as fast here as in a run.
        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
        accelerators = tf.config.list_logical_devices("GPU")  # also wakes the devices, whose drivers talk
        tf.constant(0)
    return "the first GPU" if accelerators else "one CPU thread"
