"""What a gate of a grid is: a limit on a metric that cells must keep; and the vocabulary of these metrics."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from fer_audit.errors import did_you_mean
from fer_audit.section import MisplacedError, Section, as_list


@dataclass(frozen=True)
class Metric:
    """A number that a gate can limit."""

    words: str
    low: float = 0.0  #: the least that it can be
    high: float = 1.0  #: the most that it can be
    needs: str = ""  #: section of the grid without which it is not measured
    #: whether there is an interval, whether the number is exact and needs none, or whether neither is so
    error: Literal["interval", "exact", "unknown"] = "interval"


_ATTACKS = "attacks.membership"

#: Every metric of a gate. `fer_audit.report.gated.READERS` says where each stands in the results.
METRICS: Mapping[str, Metric] = {
    "accuracy": Metric("accuracy on the test split, last epoch"),
    "balanced_accuracy": Metric("mean of the recall of each class on the test split"),
    "mia_auc": Metric("largest AUC of the cell's membership attacks; 0.5 is chance", needs=_ATTACKS),
    "mia_tpr_at_fpr_0.01": Metric(
        "largest share of members that an attack finds while it accuses at most 1 % of non-members", needs=_ATTACKS
    ),
    "mia_tpr_at_fpr_0.001": Metric(
        "largest share of members that an attack finds while it accuses at most 0.1 % of non-members", needs=_ATTACKS
    ),
    "mia_advantage": Metric("largest TPR less FPR of the attacks' decisions; 0 is chance", low=-1.0, needs=_ATTACKS),
    "epsilon_lower_bound": Metric(
        "largest privacy loss that an attack's decisions prove", high=math.inf, needs=_ATTACKS, error="unknown"
    ),
    "epsilon": Metric(
        "privacy loss of one image that training promises not to exceed, at its delta; can't be judged of cells "
        "whose training promises none",
        high=math.inf,
        needs="dp-sgd",
        error="exact",
    ),
    "canary_epsilon_lower_bound": Metric(
        "largest privacy loss that the canaries of one training prove",
        high=math.inf,
        needs="canaries",
        error="unknown",
    ),
    "accuracy_gap": Metric("accuracy on members less accuracy on non-members", low=-1.0, needs=_ATTACKS),
    "memorised": Metric("share of the corrupted train rows learnt by heart", needs="measures.memorisation"),
    "corrupted_accuracy": Metric(
        "accuracy on corrupted images, mean over kinds and severities", needs="measures.corruptions"
    ),
    "mce": Metric("mean corruption error; 1 is the grid's baseline model", high=math.inf, needs="measures.corruptions"),
    "fgsm_accuracy": Metric("accuracy under FGSM at the largest epsilon measured", needs="measures.adversarial"),
    "pgd_accuracy": Metric("accuracy under PGD at the largest epsilon measured", needs="measures.adversarial"),
    "macs": Metric("multiply-accumulates for one image at the grid's size", high=math.inf, error="exact"),
    "flops": Metric("2 x MACs", high=math.inf, error="exact"),
    "params_total": Metric("weights, trained or not", high=math.inf, error="exact"),
    "file_bytes": Metric("size of the .keras file", high=math.inf, error="exact"),
    "latency_p50_ms": Metric(
        "median time for one image on one thread of the machine of the run", high=math.inf, error="unknown"
    ),
}


def known_metric(name: str) -> str:
    """The name itself; raises ValueError where there is no such metric."""
    if name not in METRICS:
        raise ValueError(f"unknown metric {name!r}: {did_you_mean(name, METRICS)}")
    return name


def check_limit(metric: str, limit: float) -> None:
    """Raises ValueError where every value of `metric`, or none, would keep `limit`, such as a share of 60."""
    low, high = METRICS[metric].low, METRICS[metric].high
    if low <= limit <= high:
        return
    expected = f"at least {low:g}" if math.isinf(high) else f"{low:g} to {high:g}, such as 0.6 for 60 %"
    raise ValueError(f"a limit of {metric} is {expected}. Received: {limit:g}")


def check_certainty(metric: str) -> None:
    """Raises ValueError where `metric` has no interval that could show anything with certainty."""
    if METRICS[metric].error == "unknown":
        raise ValueError(f"{metric} has no interval, so that no gate on it can be certain; leave that out")


def _labels(value: Any) -> Any:
    """YAML reads an unquoted `null` as None, where `none` is meant."""
    return ["none" if item is None else item for item in as_list(value)]


#: One label or several, of augmentations or of label attacks.
Labels = Annotated[tuple[str, ...], BeforeValidator(_labels, str | None | tuple[str | None, ...])]


class Where(Section):
    """Which cells a gate is about: those with one of the values in each field that is set."""

    model: Annotated[tuple[str, ...], BeforeValidator(as_list, str | tuple[str, ...])] = Field(
        (), description="as it stands in the grid, with its parameters: `mini-xception(l2=0.1)`; one or a list"
    )
    augmentation: Labels = Field((), description="such as `none`, `mixup` or `randaug(m=6, n=1)+mixup`; one or a list")
    defence: Labels = Field((), description="such as `none`, `dp-sgd` or `dp-sgd(epsilon=8)`; one or a list")
    labels: Labels = Field((), description="the label attack, such as `none` or `symmetric(rate=0.3)`; one or a list")
    seed: Annotated[tuple[int, ...], BeforeValidator(as_list, int | tuple[int, ...])] = Field(
        (), description="one or a list"
    )

    @property
    def named(self) -> dict[str, list[str]]:
        """The fields that are set, all values as text."""
        return {name: [str(value) for value in values] for name, values in self if values}


class GateSection(Section):
    """A limit that cells must keep."""

    metric: Annotated[str, AfterValidator(known_metric)] = Field(description="what is limited")
    max: float | None = Field(None, description="the most that it may be; either this or `min`")
    min: float | None = Field(None, description="the least that it may be; either this or `max`")
    level: Literal["error", "warn"] = Field("error", description="whether breaking it fails the run, or is only said")
    certain: bool = Field(False, description="whether whole intervals must keep the limit, not values alone")
    where: Where = Field(Where(), description="which cells it is about; all where left out")

    @model_validator(mode="after")
    def _one_limit(self) -> GateSection:
        limits = [limit for limit in (self.max, self.min) if limit is not None]
        if len(limits) != 1:
            received = "both" if limits else "neither"
            raise ValueError(f"a gate has one limit, either max or min. Received: {received}")
        check_limit(self.metric, limits[0])
        if self.certain:
            check_certainty(self.metric)
        return self

    @property
    def recorded(self) -> dict[str, Any]:
        """The gate as `fer_audit.results.Gate` has it."""
        return {**self.model_dump(mode="json"), "where": self.where.named}


def is_meant(name: str, value: str, wanted: Iterable[str]) -> bool:
    """Whether a cell's `value` is among those `wanted`; a defence may be named without its parameters."""
    return value in wanted or (name == "defence" and value.partition("(")[0] in wanted)


def check_where(where: Mapping[str, Iterable[str]], known: Mapping[str, Iterable[str]]) -> None:
    """Raises MisplacedError where a value is that of no cell; `known` holds the values that cells have."""
    for name, values in where.items():
        of_cells = list(dict.fromkeys(known[name]))
        for value in values:
            if not any(is_meant(name, one, [value]) for one in of_cells):
                raise MisplacedError(f"no cell has {name} {value!r}: {did_you_mean(value, of_cells)}", name)
