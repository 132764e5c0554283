"""Functions that TensorFlow traces."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf


def traced(function: Callable[..., Any], *signature: tf.TensorSpec) -> Any:
    """`function` as a graph for arguments of that `signature`, traced at its first call.

    AutoGraph stays off: it would translate thousands of calls, which takes seconds, to find no control flow of tensors.
    Keras keeps it out of the calls of layers anyway.
    """
    return tf.function(function, input_signature=signature, autograph=False)
