import pytest

from fer_audit.data.dataset import EXPRESSIONS
from fer_audit.data.labels import SYNONYMS, class_name, class_order


@pytest.mark.parametrize(
    ("given", "name"),
    [(" happy", "happiness"), ("SAD", "sadness"), ("Fear", "fear"), ("Contempt", "contempt"), ("Zeal ", "Zeal")],
)
def test_known_expressions_have_one_name(given, name):
    assert class_name(given) == name


def test_names_are_kept_and_synonyms_lead_to_them():
    assert all(class_name(name) == name for name in EXPRESSIONS)
    assert set(SYNONYMS.values()) <= {*EXPRESSIONS, "contempt"}


def test_order():
    assert class_order(["b", "anger", "a", "contempt", "neutral", "b"]) == ("neutral", "anger", "contempt", "a", "b")
