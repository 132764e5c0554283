"""The mechanism of differentially private SGD, by tensorflow-privacy."""

from __future__ import annotations

import sys
from typing import Any


def gaussian_sum_query(clip_norm: Any, deviation: Any) -> Any:
    """The `GaussianSumQuery` that clips records to `clip_norm` and adds noise of standard `deviation` to their sum.

    Imported late, as it takes most of a second.
    """
    # Its __init__ would import optimizers that Keras 3 breaks.
    sys.skip_tf_privacy_import = True  # type: ignore[attr-defined]
    from tensorflow_privacy.privacy.dp_query.gaussian_query import GaussianSumQuery

    return GaussianSumQuery(clip_norm, deviation)
