"""An audit of answers alone: no model, no image, only what was answered about members and non-members."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from fer_audit.attacks.signals import Signals
from fer_audit.data.answer_files import GivenAnswers
from fer_audit.data.splits import split_by_subject
from fer_audit.errors import SignalsError
from fer_audit.metrics.class_order import order_of, order_warnings
from fer_audit.metrics.class_shares import shares_differ
from fer_audit.results import AuditedFile, CalibrationSplit
from fer_audit.runner.signals import SignalsAudit

#: Share of the non-members that serves as population where none is given, as in the dataset `member-lists`.
POPULATION_SHARE = 1 / 3


def answers_audit(
    name: str,
    members: GivenAnswers,
    nonmembers: GivenAnswers,
    population: GivenAnswers | None,
    *,
    calibration: float,
    seed: int,
) -> SignalsAudit:
    """What is to be attacked, its calibration split drawn; raises SignalsError where files don't fit together."""
    _check_apart(members, nonmembers, population)
    others = nonmembers.in_order(members.classes)
    people = _people(members, others)
    if population is None:
        chosen = _parts(others.labels, people[len(members) :], POPULATION_SHARE, seed)
        pool_of_others, apart = np.flatnonzero(~chosen), np.flatnonzero(chosen)
        outside, outside_labels = others.logits[apart], others.labels[apart]
    else:
        pool_of_others = np.arange(len(others))
        named = population.in_order(members.classes)
        outside, outside_labels = named.logits, named.labels
    _check_queries(members, others, outside)
    labels = np.concatenate([members.labels, others.labels[pool_of_others]])
    member = np.arange(len(labels)) < len(members)
    subjects = np.concatenate([people[: len(members)], people[len(members) :][pool_of_others]])
    held = _parts(2 * labels + member, subjects, calibration, seed)
    known = members.subjects is not None and others.subjects is not None
    logits = np.concatenate([members.logits, others.logits[pool_of_others]])
    signals = Signals(
        logits=logits[None],
        keep=member[None],
        labels=labels,
        subjects=subjects if known else None,
        population_logits=outside[None] if len(outside) else None,
        population_labels=outside_labels if len(outside) else None,
    )
    attributes = {
        key: (*values, *(others.attributes[key][row] for row in pool_of_others))
        for key, values in members.attributes.items()
        if key in others.attributes
    }
    files = [one for one in (members, nonmembers, population) if one is not None]
    split = CalibrationSplit(
        members=int((held & member).sum()), nonmembers=int((held & ~member).sum()), share=calibration
    )
    order = order_of(labels, np.asarray(logits[:, 0].argmax(axis=1), np.int64), members.classes)
    warnings = order_warnings(order, mend="name the columns {names} if that is right")
    differ = shares_differ(labels, member, members.classes)
    warnings += [differ] if differ else []
    return SignalsAudit(
        name=name,
        signals=signals,
        targets=[0],
        families=attributes,
        seed=seed,
        classes=members.classes,
        calibration=held,
        audited=_file(members, files, split, warnings),
        invalid=(warnings[0] if order.permuted else "") or differ,
    )


def _file(
    members: GivenAnswers,
    files: Sequence[GivenAnswers],
    split: CalibrationSplit,
    warnings: list[str],
) -> AuditedFile:
    """All files as one."""
    return AuditedFile(
        file=" + ".join(one.path.name for one in files),
        format="answers",
        sha256=hashlib.sha256("".join(one.sha256 for one in files).encode()).hexdigest(),
        bytes=sum(one.bytes for one in files),
        input_shape=None,
        outputs=members.outputs,
        preprocessing={"classes": list(members.classes)},
        calibration=split,
        warnings=warnings,
    )


def _check_apart(members: GivenAnswers, nonmembers: GivenAnswers, population: GivenAnswers | None) -> None:
    """Raises SignalsError where one file stands for two sides."""
    files = [one for one in (members, nonmembers, population) if one is not None]
    digests = [one.sha256 for one in files]
    twice = next((one for one in files if digests.count(one.sha256) > 1), None)
    if twice is not None:
        raise SignalsError(f"{twice.path} is given for two sides; expected answers about other images in each file")


def _people(members: GivenAnswers, others: GivenAnswers) -> npt.NDArray[np.int64]:
    """A number for each row of both, the same for rows of one person; without people each row is its own."""
    if members.subjects is None or others.subjects is None:
        return np.arange(len(members) + len(others))
    _, numbers = np.unique(np.array([*members.subjects, *others.subjects]), return_inverse=True)
    return np.asarray(numbers, np.int64)


def _parts(
    labels: npt.NDArray[np.int64], people: npt.NDArray[np.int64], share: float, seed: int
) -> npt.NDArray[np.bool_]:
    part = split_by_subject(labels, people, (1 - share, share), np.random.default_rng([seed, len(labels)]))
    return np.asarray(part == 1)


def _check_queries(members: GivenAnswers, others: GivenAnswers, outside: npt.NDArray[np.float32]) -> None:
    queries = [members.logits.shape[1], others.logits.shape[1], outside.shape[1]]
    if len(set(queries[:2])) > 1 or queries[2] > queries[0]:
        raise SignalsError(f"the files must answer the same queries; received {queries} queries of each row")
