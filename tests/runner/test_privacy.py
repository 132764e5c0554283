"""What attacks are called where their records are kept."""

from fer_audit.attacks import create
from fer_audit.attacks.loss_threshold import LossThreshold as TheirBase
from fer_audit.runner.privacy import _labels


class LossThreshold(TheirBase):
    """One of that class name from elsewhere; source: this test."""

    name = "mine"


class OfPackage(TheirBase):
    """One of that plug-in name from elsewhere; source: this test."""

    package = "theirs"


def test_attacks_are_told_apart_by_class_name_and_only_else_by_plugin_name():
    attacks = [create("loss-threshold"), create("gap"), OfPackage()]
    assert _labels(attacks) == [
        "LossThreshold(queries='all', per_class=False)",
        "Gap(queries='all')",
        "OfPackage(queries='all', per_class=False)",
    ]
    twins = [create("loss-threshold"), LossThreshold(), create("gap")]
    assert _labels(twins) == [
        "loss-threshold: LossThreshold(queries='all', per_class=False)",
        "mine: LossThreshold(queries='all', per_class=False)",
        "Gap(queries='all')",
    ]
