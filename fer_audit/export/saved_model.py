"""SavedModel folders, for TensorFlow and TensorFlow Serving."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import tensorflow as tf

from fer_audit.export.formats import LABELS
from fer_audit.export.serving import answers, image_spec
from fer_audit.export.serving_names import LABEL, LOGITS, SERVING, SERVING_BYTES
from fer_audit.training.quiet import quiet


def write_saved_model(network: Any, classes: tuple[str, ...], image_size: int, folder: Path) -> None:
    """Writes a SavedModel whose signatures answer with probabilities, logits, and the name of the likeliest class.

    The names of all classes are its asset `labels.txt`, and `class_names` of the loaded object.
    """
    module = tf.Module()
    module.network = network  # what a SavedModel's functions use must hang on it
    names = tf.constant(classes)
    module.class_names = tf.Variable(names, trainable=False)  # a constant would not be saved as part of the object
    answered = answers(network)

    def serve(images: Any) -> dict[str, Any]:
        found = answered(images)
        return {**found, LABEL: tf.gather(names, tf.argmax(found[LOGITS], axis=-1))}

    signatures = {
        name: tf.function(serve, input_signature=[image_spec(image_size, None, dtype)]).get_concrete_function()
        for name, dtype in ((SERVING, tf.float32), (SERVING_BYTES, tf.uint8))
    }
    with TemporaryDirectory() as scratch, quiet():
        labels = Path(scratch) / LABELS
        labels.write_text("".join(f"{name}\n" for name in classes), encoding="utf-8")
        module.labels = tf.saved_model.Asset(str(labels))
        tf.saved_model.save(module, str(folder), signatures=signatures)
