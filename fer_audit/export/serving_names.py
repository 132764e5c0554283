"""What the input and the outputs are called, in every format."""

from __future__ import annotations

IMAGES, PROBABILITIES, LOGITS, LABEL = "images", "probabilities", "logits", "label"

#: Signatures of a SavedModel: images as float32, and the same as uint8.
SERVING, SERVING_BYTES = "serving_default", "serving_uint8"
