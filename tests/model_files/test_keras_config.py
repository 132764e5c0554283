"""What of a Keras network is looked at before it is built; see also test_hostile.py."""

import pytest

from fer_audit.errors import ModelFileError
from fer_audit.model_files.keras_config import check_config


def layer(kind, **config):
    return {"class_name": kind, "config": {"name": "one", **config}}


def test_what_trains_a_network_is_not_looked_at():
    config = {**layer("Sequential"), "compile_config": {"loss": {"class_name": "function", "module": "theirs"}}}
    check_config(config)
    with pytest.raises(ModelFileError, match="of the module 'theirs'"):
        check_config({**layer("Sequential"), "more": config["compile_config"]})


@pytest.mark.parametrize(
    ("module", "kind"),
    [
        ("keras.layers", "Dense"),
        ("keras.src.models.functional", "Functional"),
        ("keras.src.ops.image", "RGBToGrayscale"),
        ("keras.src.engine.functional", "Functional"),
        ("keras", "Sequential"),
        ("builtins", "function"),
        (None, "Dense"),
    ],
)
def test_modules_of_networks_are_accepted(module, kind):
    check_config({**layer(kind), "module": module})


@pytest.mark.parametrize("module", ["os", "keras.utils", "keras.src.utils.file_utils", "kerasx.layers", "builtins", ""])
def test_other_modules_are_refused(module):
    with pytest.raises(ModelFileError, match="layer 'one' is 'Dense' of the module"):
        check_config({**layer("Dense"), "module": module})
