"""What all plug-ins share: parameters, identities and keys."""

import pytest

from fer_audit.errors import PluginError
from fer_audit.plugins import KINDS, content_key
from fer_audit.registry import Registry


def test_every_kind_has_built_in_plugins():
    registry = Registry.load()
    assert not registry.broken
    assert all(registry.names(kind) for kind in KINDS)


@pytest.mark.parametrize(
    ("name", "params", "said"),
    [
        ("randaug", {"magnitud": 3}, "has no parameter 'magnitud'"),
        ("randaug", {"n": "many"}, "Received: 'many'"),
        ("mixup", {"alpha": -1}, "greater than or equal to 0"),
    ],
)
def test_a_wrong_parameter_is_explained(name, params, said):
    with pytest.raises(PluginError, match=said):
        Registry.load().create("augmentation", name, params)


def test_the_repr_shows_all_parameters():
    assert repr(Registry.load().create("augmentation", "randaug", {"m": 3})) == "RandAug(n=2, m=3)"


def test_equal_values_have_equal_keys_whatever_their_order():
    assert content_key({"a": 1, "b": [1.5, None]}) == content_key({"b": [1.5, None], "a": 1})
    assert content_key({"a": 1}) != content_key({"a": 2})
