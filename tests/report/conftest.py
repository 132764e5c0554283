"""Results as a grid could leave them; every number is made up by a formula."""

import itertools
import math
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fer_audit.results import (
    AdversarialPoint,
    AdversarialRobustness,
    AttackResult,
    AuditedFile,
    BatchInvariance,
    CalibrationSplit,
    CanaryAudit,
    Cell,
    Confusion,
    Corruption,
    CorruptionKind,
    CorruptionRobustness,
    Cost,
    DatasetSummary,
    Epoch,
    EpsilonBound,
    Estimate,
    Explanation,
    ExplanationMeasure,
    Gallery,
    GalleryRow,
    GroupGuarantee,
    Guarantee,
    ImageSheet,
    LabelErrors,
    Latency,
    LayerCost,
    LeftOut,
    ManyRunAudit,
    MatchedDifference,
    Memorisation,
    MemorisationEpoch,
    NoiseCurve,
    NoisePoint,
    PluginRecord,
    Privacy,
    Provenance,
    Results,
    Roc,
    RunRecord,
    Slice,
    SplitSummary,
    TargetResult,
    Tile,
    Transferred,
    Utility,
    write_results,
    write_run,
)

CLASSES = ["neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger"]
MODELS = ["ghostface", "mobilenet-v2"]
AUGMENTATIONS = ["none", "randaug", "mixup", "randaug+mixup"]
RATES = [0.0, 0.2]
ATTACKS = {"shadow-mia": 0.02, "loss-threshold": 0.0, "confidence-entropy": -0.015}
CORRUPTIONS = [
    *("gaussian-noise", "shot-noise", "impulse-noise", "defocus-blur", "motion-blur", "zoom-blur", "fog", "frost"),
    *("brightness", "contrast", "saturation", "pixelate", "jpeg", "occlusion", "rotation", "low-resolution"),
]
EPSILONS = [1.0, 2.0, 4.0, 8.0]
#: What a cell has once it is measured.
MEASURED = [name for name, field in Cell.model_fields.items() if not field.is_required() and field.default is None]
TEST_ROWS, MEMBERS = 700, 480
NOT_RESOLVABLE = Estimate(value=None, n=MEMBERS, note="not resolvable (needs at least 1,000)")


def estimate(value: float, n: int) -> Estimate:
    half = 1.96 * math.sqrt(max(value * (1 - value), 0.001) / n)
    return Estimate(value=value, low=max(0.0, value - half), high=min(1.0, value + half), n=n, method="fixture")


def roc(auc: float) -> Roc:
    exponent = (1 - auc) / auc
    fpr = [0.0, *(round(10 ** (-2.7 + 2.7 * step / 100), 6) for step in range(101))]
    return Roc(fpr=fpr, tpr=[value**exponent for value in fpr])


def difference(value: float) -> Estimate:
    return Estimate(value=value, low=value - 0.04, high=value + 0.04, n=2 * MEMBERS, method="fixture")


def slice_of(family: str, group: str, auc: float, shift: float, rows: int, p: float | None = 1.0) -> Slice:
    unknown = Estimate(value=None, n=rows, note="not resolvable (needs at least 20 members, has 7)")
    return Slice(
        family=family,
        group=group,
        rows=rows,
        auc=unknown if p is None else estimate(auc + shift, rows),
        tpr=estimate(auc + shift, rows),
        fpr=estimate(1 - auc, rows),
        difference=unknown if p is None else difference(shift),
        p_value=p,
        p_adjusted=p,
    )


def slices(auc: float, noisy: bool) -> list[Slice]:
    found = [slice_of("class", str(place), auc, 0.01 * place, 120 - 10 * place) for place in range(6)]
    found.append(slice_of("class", "6", auc, 0.0, 15, p=None))
    if noisy:
        found.append(slice_of("labels", "clean", auc, -0.05, 768, 0.0004))
        found.append(slice_of("labels", "corrupted", auc, 0.05, 192, 0.0004))
    return found


def transferred(auc: float, asked: float) -> Transferred:
    fp, tp = round(MEMBERS * asked * 1.4), round(MEMBERS * asked * 2 * auc)
    counts = Confusion(tp=tp, fp=fp, fn=MEMBERS - tp, tn=MEMBERS - fp)
    return Transferred(confusion=counts, fpr=estimate(fp / MEMBERS, MEMBERS), tpr=estimate(tp / MEMBERS, MEMBERS))


def epsilon(auc: float) -> EpsilonBound:
    bound = max(0.0, 4 * (auc - 0.56))
    return EpsilonBound(
        lower_bound=bound,
        cap=3.4,
        delta=1e-5,
        confidence=0.95,
        unit="subject",
        members=40,
        nonmembers=40,
        method="fixture",
    )


def attack(name: str, auc: float, noisy: bool = False) -> AttackResult:
    targets = 4
    tp, fp = round(MEMBERS * (auc + 0.02)), round(MEMBERS * (1 - auc))
    one = Confusion(tp=tp // targets, fp=fp // targets, fn=(MEMBERS - tp) // targets, tn=(MEMBERS - fp) // targets)
    return AttackResult(
        attack=PluginRecord(name=name, params={}),
        threat_model="logits",
        auc=estimate(auc, MEMBERS),
        auc_spread=0.011,
        tpr_at_fpr={
            "0.01": estimate(0.01 + (auc - 0.5) / 5, MEMBERS),
            "0.001": NOT_RESOLVABLE,
        },
        confusion=Confusion(tp=tp, fp=fp, fn=MEMBERS - tp, tn=MEMBERS - fp),
        fpr=estimate(fp / MEMBERS, MEMBERS),
        fnr=estimate(1 - tp / MEMBERS, MEMBERS),
        tpr=estimate(tp / MEMBERS, MEMBERS),
        advantage=Estimate(value=(tp - fp) / MEMBERS, low=(tp - fp) / MEMBERS - 0.06, high=(tp - fp) / MEMBERS + 0.06),
        transferred={
            "0.01": transferred(auc, 0.01),
            "0.001": Transferred(confusion=None, fpr=NOT_RESOLVABLE, tpr=NOT_RESOLVABLE),
        },
        epsilon=epsilon(auc),
        slices=slices(auc, noisy),
        record_stability=0.4 + auc / 4,
        roc=roc(auc),
        targets=[
            TargetResult(target=target, auc=estimate(auc, MEMBERS // targets), threshold=0.4, confusion=one)
            for target in range(targets)
        ],
        notes=["disgust has 3 rows in the references; their attack model is shared"] if name == "shadow-mia" else [],
    )


def utility(accuracy: float, rate: float) -> Utility:
    recalls = [min(0.97, max(0.05, accuracy + 0.18 * math.cos(2.1 * place))) for place in range(len(CLASSES))]
    rows = [180, 160, 110, 100, 70, 30, 50]
    confusion = []
    for true, (recall, count) in enumerate(zip(recalls, rows, strict=True)):
        right = round(recall * count)
        others = [(count - right) // 6 + (place < (count - right) % 6) for place in range(6)]
        confusion.append([*others[:true], right, *others[true:]])
    epochs = 12
    history = [
        Epoch(
            train_loss=1.95 * math.exp(-0.13 * e) + rate,
            train_accuracy=1 - 0.86 * math.exp(-0.16 * e) - rate,
            test_loss=1.9 * math.exp(-0.1 * e) + 0.004 * e * e + rate,
            test_accuracy=accuracy - (accuracy - 0.15) * math.exp(-0.35 * e),
        )
        for e in range(epochs)
    ]
    return Utility(
        training="0" * 64,
        accuracy=estimate(accuracy, TEST_ROWS),
        balanced_accuracy=estimate(accuracy - 0.034, TEST_ROWS),
        per_class=[estimate(recall, count) for recall, count in zip(recalls, rows, strict=True)],
        confusion=confusion,
        train_accuracy=min(0.99, accuracy + 0.2),
        history=history,
    )


def privacy(accuracy: float, auc: float, attacks: dict[str, float], noisy: bool) -> Privacy:
    return Privacy(
        trainings=["1" * 64] * 4,
        references=3,
        queries=["identity", "flip"],
        member_accuracy=estimate(min(0.99, accuracy + 1.3 * (auc - 0.5)), MEMBERS),
        nonmember_accuracy=estimate(accuracy - 0.05, MEMBERS),
        test_accuracy=estimate(accuracy - 0.06, TEST_ROWS),
        attacks=[attack(name, auc + shift, noisy) for name, shift in attacks.items()],
        records="records/a cell.csv",
    )


def corruption(rate: float) -> Corruption:
    size = len(CLASSES)
    matrix = [[1 - rate if true == given else rate / (size - 1) for given in range(size)] for true in range(size)]
    remarks = ["3 lines of votes.csv were refused: they name no row of the train split"]
    return Corruption(
        rate=rate, corrupted_rows=round(rate * 960), matrix=matrix, labels_sha256="ab" * 32, remarks=remarks
    )


def memorisation(rate: float, gain: float) -> Memorisation:
    heart, seen = 0.62 - 5 * gain, 0.2 + 4 * gain
    epochs = [
        MemorisationEpoch(
            memorised=heart * (1 - math.exp(-0.12 * epoch)),
            recovered=(seen + 0.25) * (1 - math.exp(-0.9 * epoch)) - 0.25 * epoch / 12,
            neither=1 - heart * (1 - math.exp(-0.12 * epoch)) - seen * (1 - math.exp(-0.9 * epoch)),
            clean_accuracy=0.95 - 0.8 * math.exp(-0.2 * epoch),
        )
        for epoch in range(12)
    ]
    rows = round(rate * 960)
    return Memorisation(
        corrupted_rows=rows,
        memorised=estimate(heart, rows),
        recovered=estimate(seen, rows),
        neither=estimate(1 - heart - seen, rows),
        clean_accuracy=estimate(0.9, 960 - rows),
        epochs=epochs,
    )


def label_errors(rate: float, accuracy: float) -> LabelErrors:
    rows = round(rate * 960)
    levels = {"10": 10, "50": 50, "100": 100, "corrupted": rows} if rows else {}
    return LabelErrors(
        rows=960,
        suspected=round((rate + 0.3 - accuracy / 4) * 960),
        corrupted_rows=rows or None,
        average_precision=estimate(accuracy, rows) if rows else None,
        chance=rate if rows else None,
        precision_at={name: estimate(min(0.98, accuracy + 2 / n), n) for name, n in levels.items()},
        models=2,
        file="suspects/a cell.csv",
    )


def robustness(accuracy: float, place: int, baseline: str) -> CorruptionRobustness:
    kinds = [
        CorruptionKind(
            kind=kind,
            accuracy=[
                estimate(accuracy * (1 - severity * (0.05 + 0.03 * math.sin(which))), TEST_ROWS)
                for severity in range(1, 6)
            ],
            error=factor(1 + 0.2 * math.sin(1.7 * which + place) if place else 1.0),
        )
        for which, kind in enumerate(CORRUPTIONS)
    ]
    return CorruptionRobustness(
        severities=[1, 2, 3, 4, 5],
        rows=TEST_ROWS,
        clean=estimate(accuracy, TEST_ROWS),
        accuracy=estimate(0.84 * accuracy, TEST_ROWS),
        kinds=kinds,
        mce=factor(1 + 0.06 * math.sin(place)),
        baseline=baseline,
    )


def factor(value: float) -> Estimate:
    half = 0.03 if value != 1 else 0.0
    return Estimate(value=value, low=value - half, high=value + half, n=TEST_ROWS, method="fixture")


def adversarial(accuracy: float) -> AdversarialRobustness:
    points = [
        AdversarialPoint(
            attack=name,
            epsilon=epsilon,
            accuracy=estimate(accuracy * math.exp(-speed * epsilon), 200),
            max_perturbation=epsilon,
        )
        for name, speed in (("fgsm", 0.18), ("pgd", 0.35))
        for epsilon in EPSILONS
    ]
    return AdversarialRobustness(rows=200, steps=10, clean=estimate(accuracy, 200), points=points)


def batch_invariance(passed: bool) -> BatchInvariance:
    return BatchInvariance(
        rows=128,
        max_difference=3.1e-6 if passed else 0.42,
        tolerance=1e-4,
        changed=0 if passed else 5,
        passed=passed,
        explanation="" if passed else "a layer of the model uses statistics of the batch when it predicts",
    )


def explanation(refused: bool) -> Explanation:
    if refused:
        return Explanation(refused="the model has no layer with a map of at least 7x7")
    known = (("deletion", "lower", 0.31, 0.4), ("insertion", "higher", 0.62, 0.5))
    known += (("flip-agreement", "higher", 0.71, 0.0), ("inside", "higher", 0.36, 0.34))
    measures = [
        ExplanationMeasure(
            name=name,
            better=better,
            value=around(value, 0.03),
            baseline=around(random, 0.02),
            difference=around(value - random, 0.035),
        )
        for name, better, value, random in known
    ]
    return Explanation(layer="conv_13", map_size=(7, 7), rows=64, measures=measures)


def around(value: float, half: float) -> Estimate:
    return Estimate(value=value, low=value - half, high=value + half, n=64, method="fixture")


def noise_curve(model: str, augmentation: str, kind: str, slope: float) -> NoiseCurve:
    clean = 0.66 + (0.04 if model == "mobilenet-v2" else 0.0) + 0.01 * len(augmentation) / 2
    falls = {rate: slope * rate * rate * (1 - 0.04 * len(augmentation)) for rate in (0.0, 0.1, 0.2, 0.4)}
    points = [
        NoisePoint(
            rate=0.995 * rate,
            label_attack=f"{kind}(rate={rate})" if rate else "none",
            seeds=1,
            accuracy=estimate(clean - fall, TEST_ROWS),
            balanced_accuracy=estimate(clean - fall - 0.03, TEST_ROWS),
            drop=around(fall, 0.02 if rate else 0.0),
            balanced_drop=around(fall, 0.025 if rate else 0.0),
        )
        for rate, fall in falls.items()
    ]
    area = clean - slope * 0.05
    return NoiseCurve(
        model=model,
        augmentation=augmentation,
        kind=kind,
        points=points,
        area=estimate(area, TEST_ROWS),
        balanced_area=estimate(area - 0.03, TEST_ROWS),
    )


def galleries() -> list[Gallery]:
    columns = ["image", *AUGMENTATIONS]
    heat = [
        GalleryRow(
            label=name,
            tiles=[
                Tile(file=f"tile-{(place + at) % 3}.png", text=f"predicted {CLASSES[(place + at) % 7]}" if at else "")
                for at in range(len(columns))
            ],
        )
        for place, name in enumerate(CLASSES)
    ]
    wrong = [
        GalleryRow(
            label=name,
            tiles=[Tile(file=f"tile-{at}.png", text="given fear, true sadness, predicted fear") for at in range(3)],
        )
        for name in ("memorised", "recovered", "neither")
    ]
    return [
        Gallery(kind="heat-maps", title="Heat maps", caption="Noise instead of faces.", columns=columns, rows=heat),
        Gallery(
            kind="corrupted-rows",
            title="Corrupted rows",
            caption="Noise instead of faces.",
            columns=[],
            rows=wrong,
        ),
    ]


def cell(model: str, augmentation: str, rate: float, seed: int, attacks: dict[str, float]) -> Cell:
    gain = {"none": 0.0, "randaug": 0.05, "mixup": 0.02, "randaug+mixup": 0.06}[augmentation]
    hush = {"none": 0.0, "randaug": 0.05, "mixup": 0.085, "randaug+mixup": 0.12}[augmentation]
    heavy = 0.04 if model == "mobilenet-v2" else 0.0
    jitter = 0.006 * math.sin(7.3 * seed + 3 * len(augmentation) + 11 * rate + len(model))
    noise = None if rate == 0 else PluginRecord(name="symmetric", params={"rate": rate})
    accuracy = 0.66 + heavy + gain - 0.75 * rate * (1 - 3 * gain) + jitter
    auc = 0.655 + heavy / 2 + 0.6 * rate - hush + jitter
    label_attack = f"symmetric(rate={rate})" if rate else "none"
    chain = [] if augmentation == "none" else [PluginRecord(name=name) for name in augmentation.split("+")]
    place = MODELS.index(model) * 8 + AUGMENTATIONS.index(augmentation) * 2 + (rate > 0)
    return Cell(
        id=f"synthface/{model}/{augmentation}/{label_attack}/seed{seed}",
        model=model,
        augmentation=augmentation,
        label_attack=label_attack,
        noise_rate=rate,
        seed=seed,
        model_plugin=PluginRecord(name=model),
        augmentation_plugins=chain,
        label_attack_plugin=noise,
        corruption=corruption(rate) if rate else None,
        status="done",
        utility=utility(accuracy, rate),
        privacy=privacy(accuracy, auc, attacks, rate > 0) if attacks else None,
        memorisation=memorisation(rate, gain) if rate else None,
        label_errors=label_errors(rate, accuracy) if attacks else None,
        corruptions=robustness(accuracy, place, f"synthface/{MODELS[0]}/none/none/seed{seed}"),
        adversarial=adversarial(accuracy),
        batch_invariance=batch_invariance(place != 3),
        explanation=explanation(place == 2),
    )


def cost(model: str, macs: int, params: int) -> Cost:
    return Cost(
        model=model,
        image_size=48,
        params_total=params,
        params_trainable=params - 7489,
        macs=macs,
        flops=2 * macs,
        reference_size=224,
        reference_macs=21 * macs,
        reference_flops=42 * macs,
        tf_profiler=2 * macs + 40_000,
        keras_flops=2 * macs + 70_000,
        fvcore=macs + 30_000,
        activation_peak_bytes=180_000,
        activation_output_bytes=1_200_000,
        keras_file_bytes=4 * params + 90_000 if model == "ghostface" else None,
        layers=layer_costs(macs, params) if model == "ghostface" else [],
    )


def layer_costs(macs: int, params: int) -> list[LayerCost]:
    shares = {"stem": (macs // 3, params // 4, [24, 24, 8]), "head": (macs - macs // 3, params - params // 4, [7])}
    return [
        LayerCost(
            name=name,
            kind="Conv2D" if len(shape) > 1 else "Dense",
            output_shape=shape,
            params_total=weights,
            params_trainable=weights,
            macs=cost,
            flops=2 * cost,
            activation_bytes=4 * math.prod(shape),
        )
        for name, (cost, weights, shape) in shares.items()
    ]


def split(rows: int) -> SplitSummary:
    shares = [0.25, 0.23, 0.16, 0.14, 0.1, 0.05]
    counts = [round(rows * share) for share in shares]
    return SplitSummary(rows=rows, per_class=[*counts, rows - sum(counts)], subjects=rows // 12)


def provenance(seeds: list[int]) -> Provenance:
    return Provenance(
        fer_audit="0.0.fixture",
        python="3.11.0",
        packages={"tensorflow": "2.21.0", "keras": "3.15.0", "numpy": "1.26.4"},
        platform="Linux x86_64",
        grid_text="# a fixture, not a run\nname: fixture\nmodels: [ghostface, mobilenet-v2]\n",
        grid_sha256="cd" * 32,
        recipe={"image_size": 48, "epochs": 12, "batch_size": 64, "optimizer": "adamw"},
        seeds=seeds,
    )


def build(
    seeds: tuple[int, ...] = (0,),
    attacks: dict[str, float] = ATTACKS,
    models: list[str] = MODELS,
    augmentations: list[str] = AUGMENTATIONS,
) -> Results:
    cells = [
        cell(model, augmentation, rate, seed, attacks)
        for model in models
        for augmentation in augmentations
        for rate in RATES
        for seed in seeds
    ]
    sheets = [
        ImageSheet(kind=kind, title=title, caption="Noise instead of faces.", file=f"{kind}.png", labels=labels)
        for kind, title, labels in (
            ("expressions", "The expressions", CLASSES),
            ("augmentation", "randaug", ["before", "after"]),
        )
    ]
    return Results(
        grid="fixture",
        include_images=False,
        dataset=DatasetSummary(
            plugin=PluginRecord(name="synthface"),
            classes=CLASSES,
            image_size=48,
            digest="ef" * 32,
            drawn=True,
            pool=split(960),
            test=split(TEST_ROWS),
            population=split(300),
        ),
        costs=[cost("ghostface", 2_969_000, 1_285_619), cost("mobilenet-v2", 14_200_000, 2_266_951)],
        cells=cells,
        noise_curves=[
            noise_curve(model, augmentation, kind, slope)
            for model in models
            for augmentation in augmentations
            for kind, slope in (("symmetric", 1.2), ("pair-flip", 1.9))
        ],
        sheets=sheets,
        galleries=galleries(),
        provenance=provenance(list(seeds)),
    )


#: Label of a defence -> its plug-in, what it costs in accuracy and what it takes from the AUC.
DEFENCES = {
    "none": (None, 0.0, 0.0),
    "dp-sgd(epsilon=2)": (PluginRecord(name="dp-sgd", params={"epsilon": 2.0}), 0.21, 0.14),
    "dp-sgd(epsilon=8)": (PluginRecord(name="dp-sgd", params={"epsilon": 8.0}), 0.09, 0.11),
    "dp-sgd(epsilon=32)": (PluginRecord(name="dp-sgd", params={"epsilon": 32.0}), -0.06, 0.05),
    "early-stopping": (PluginRecord(name="early-stopping", params={"patience": 3}), 0.02, 0.03),
}


def guarantee(epsilon: float, rows: int = 960) -> Guarantee:
    return Guarantee(
        epsilon=epsilon,
        delta=1e-5,
        accountant="PLD, Poisson sampling",
        epsilon_pld=epsilon,
        epsilon_rdp=1.07 * epsilon,
        epsilon_shuffled=2.6 * epsilon,
        noise_multiplier=4.4 / epsilon,
        clip_norm=1.0,
        sampling="poisson",
        sampling_rate=64 / rows,
        batch_size=64,
        steps=12 * rows // 64,
        epochs=12,
        rows=rows,
        group=GroupGuarantee(images=14, epsilon=None if epsilon > 10 else 19.3 * epsilon),
    )


def canary_audit(promised: float | None, bound: float) -> CanaryAudit:
    return CanaryAudit(
        training="2" * 64,
        kind="mislabelled",
        count=256,
        included=131,
        copies=1,
        auc=estimate(0.5 + bound / 20, 256),
        guesses=40,
        correct=20 + round(2 * bound),
        lower_bound=bound,
        cap=4.9,
        delta=1e-5,
        confidence=0.95,
        unit="image",
        promised=promised,
        broken=promised is not None and bound > promised,
        guarantee=None if promised is None else guarantee(promised, rows=832),
        method="Steinke et al. 2023, theorem 5.2",
        file="canaries/a cell.csv",
    )


def many_run_audit(promised: float, bound: float) -> ManyRunAudit:
    found = guarantee(promised, rows=480)
    return ManyRunAudit(
        attack=PluginRecord(name="loss-threshold"),
        lower_bound=bound,
        cap=3.1,
        delta=1e-5,
        confidence=0.95,
        unit="subject",
        decisions=80,
        promised=found.group.epsilon if found.group else None,
        broken=False,
        guarantee=found,
        method="Jagielski et al. 2020, Clopper-Pearson, corrected for 3 attacks",
    )


def defended_cell(of: Cell, defence: str) -> Cell:
    """The cell under a defence; every cell has canaries."""
    plugin, price, hush = DEFENCES[defence]
    epsilon = plugin.params.get("epsilon") if plugin else None
    found, auc = of.utility.accuracy.value - price, of.privacy.attacks[0].auc.value - hush - ATTACKS["shadow-mia"]
    made = utility(found, of.noise_rate)
    if defence == "early-stopping":
        losses = [1.7 * math.exp(-0.2 * epoch) + 0.01 * epoch * epoch for epoch in range(len(made.history))]
        told = [
            epoch.model_copy(update={"held_out_loss": loss}) for epoch, loss in zip(made.history, losses, strict=True)
        ]
        made = made.model_copy(update={"history": told})
    name = f"{of.augmentation}/{defence}" if plugin else of.augmentation
    return of.model_copy(
        update={
            "id": f"synthface/{of.model}/{name}/{of.label_attack}/seed{of.seed}",
            "defence": defence,
            "defence_plugin": plugin,
            "utility": made,
            "privacy": privacy(found, auc, ATTACKS, of.noise_rate > 0),
            "guarantee": guarantee(epsilon) if epsilon else None,
            "canaries": canary_audit(1.02 * epsilon if epsilon else None, 0.4 * epsilon**0.5 if epsilon else 2.7),
            "many_runs": many_run_audit(0.97 * epsilon, 0.2) if epsilon else None,
        }
    )


def private_results() -> Results:
    """A model under every defence, without and with an augmentation; the augmented are left out under DP-SGD at 32."""
    base = build(models=MODELS[:1], augmentations=["none", "randaug+mixup"])
    cells = [
        defended_cell(cell, defence)
        for cell in base.cells
        for defence in DEFENCES
        if cell.augmentation == "none" or not defence.startswith("dp-sgd")
    ]
    curves = [
        curve.model_copy(update={"defence": defence})
        for curve in base.noise_curves
        for defence in ("none", "early-stopping")
    ]
    reason = "MixUp mixes rows, so that each is in several gradients; leave it out, or the defence"
    gone = [LeftOut(id=f"synthface/ghostface/randaug+mixup/{name}/none/seed0", reason=reason) for name in DEFENCES]
    found = base.model_copy(update={"cells": cells, "noise_curves": curves, "left_out": gone[1:4]})
    return found.model_copy(update={"matched": matched_differences(found)})


def matched_differences(results: Results) -> list[MatchedDifference]:
    """Cells of clean labels against the two private cells between which their accuracy lies."""
    clean = [cell for cell in results.cells if cell.label_attack == "none"]
    line = sorted((cell for cell in clean if cell.guarantee), key=lambda cell: cell.utility.balanced_accuracy.value)
    found = []
    for cell in (cell for cell in clean if not cell.guarantee):
        mine = cell.utility.balanced_accuracy.value
        for below, above in itertools.pairwise(line):
            low, high = (one.utility.balanced_accuracy.value for one in (below, above))
            if low <= mine <= high:
                found += matched_pair(cell, below, above, (mine - low) / (high - low))
    return found


def matched_pair(cell: Cell, below: Cell, above: Cell, share: float) -> list[MatchedDifference]:
    trios = zip(*(one.privacy.attacks for one in (cell, below, above)), strict=True)
    found = []
    for mine, low, high in trios:
        reference = (1 - share) * low.auc.value + share * high.auc.value
        found.append(
            MatchedDifference(
                metric="auc",
                attack=mine.attack,
                cell=cell.id,
                accuracy=cell.utility.balanced_accuracy.value,
                below=below.id,
                above=above.id,
                share=share,
                reference=reference,
                difference=around(mine.auc.value - reference, 0.02),
            )
        )
    return found


def refuted_results() -> Results:
    """The same with a mechanism that does not keep its promise: the canaries of one cell show more."""
    base = private_results()
    place = next(at for at, cell in enumerate(base.cells) if cell.guarantee)
    broken = base.cells[place].model_copy(update={"canaries": canary_audit(2.04, 3.3)})
    return base.model_copy(update={"cells": [*base.cells[:place], broken, *base.cells[place + 1 :]]})


def answers_only() -> Results:
    """What an audit of signals leaves: one cell without images, trainings and costs."""
    base = build(models=MODELS[:1], augmentations=["none"])
    found = base.cells[0].privacy
    none = SplitSummary(rows=0, per_class=[0] * 7)
    dataset = base.dataset.model_copy(
        update={"plugin": PluginRecord(name="signals"), "image_size": None, "drawn": False, "test": none}
    )
    named = {"id": "signals/world", "model": "world", "augmentation": "", "label_attack": ""}
    known = dict.fromkeys(MEASURED) | {
        "privacy": found.model_copy(update={"test_accuracy": None, "records": "records.csv"}),
    }
    return base.model_copy(
        update={
            "grid": "world",
            "dataset": dataset,
            "costs": [],
            "sheets": [],
            "noise_curves": [],
            "galleries": [],
            "cells": [base.cells[0].model_copy(update=named | known)],
            "provenance": base.provenance.model_copy(update={"recipe": {}, "grid_text": "attacks: [rmia]\n"}),
        }
    )


PERMUTED = (
    "labels look permuted: your class 3 is our 'fear'; accuracy is 11.4% as declared and 64.0% in another order; say "
    "--classes neutral,fear if that is right"
)


def given_file(name: str, **changed: Any) -> AuditedFile:
    """A model file as it was given, attacked without references."""
    made = AuditedFile(
        file=name,
        format="keras",
        sha256="5a" * 32,
        bytes=1_234_567,
        input_shape=[48, 48, 3],
        outputs="logits",
        preprocessing={"size": None, "colour": "rgb", "scaling": "-1..1", "layout": "auto", "classes": CLASSES},
        calibration=CalibrationSplit(members=117, nonmembers=118, share=0.25),
    )
    return made.model_copy(update=changed)


def given_cell(file: AuditedFile, accuracy: float, auc: float, invalid: str = "") -> Cell:
    """What is known of a model that was given: one target an attack, and no training."""
    base = cell(MODELS[0], "none", 0.0, 0, ATTACKS)
    found = privacy(accuracy, auc, ATTACKS, noisy=False)
    attacks = [
        one.model_copy(
            update={
                "targets": [one.targets[0].model_copy(update={"auc": one.auc})],
                "auc_spread": None,
                "record_stability": None,
            }
        )
        for one in found.attacks
    ]
    known = dict.fromkeys(MEASURED) | {
        "utility": utility(accuracy, 0.0).model_copy(update={"training": "", "history": []}),
        "privacy": found.model_copy(update={"trainings": [], "references": 0, "attacks": attacks, "invalid": invalid}),
        "corruptions": robustness(accuracy, 0, "early.keras"),
        "batch_invariance": batch_invariance(passed=True),
        "audited": file,
    }
    named = {"id": file.file, "model": file.file, "augmentation": "", "label_attack": ""}
    return base.model_copy(update=named | known | {"model_plugin": PluginRecord(name=file.file, source=file.sha256)})


def given_results(cells: list[Cell], costs: list[Cost]) -> Results:
    base = build(models=MODELS[:1], augmentations=["none"])
    lists = {"members": "a.csv", "nonmembers": "b.csv", "population": None, "test": None}
    dataset = base.dataset.model_copy(update={"plugin": PluginRecord(name="member-lists", params=lists)})
    text = "dataset: {name: member-lists}\naudit: {models: [early.keras]}\n"
    known = {
        "grid": "given",
        "dataset": dataset,
        "costs": costs,
        "cells": cells,
        "provenance": base.provenance.model_copy(update={"grid_text": text}),
    }
    return base.model_copy(update={"sheets": [], "noise_curves": [], "galleries": []} | known)


def followed_results() -> Results:
    """Three checkpoints of one training, which leaks more and more."""
    found = {"early": (5, 0.5, 0.52), "middle": (20, 0.6, 0.6), "late": (40, 0.64, 0.71)}
    cells = [
        given_cell(given_file(f"{name}.keras", checkpoint=epoch), accuracy, auc)
        for name, (epoch, accuracy, auc) in found.items()
    ]
    costs = [cost("ghostface", 2_969_000, 1_285_619).model_copy(update={"model": one.model}) for one in cells]
    return given_results(cells, costs)


def permuted_results() -> Results:
    """An ONNX file whose labels look permuted, and one of TFLite without a word against it."""
    odd = given_file("odd.onnx", format="onnx", warnings=[PERMUTED], outputs="probabilities", trusted=True)
    fine = given_file("fine.tflite", format="tflite", references="6 from the folder others", calibration=None)
    return given_results([given_cell(odd, 0.12, 0.6, PERMUTED), given_cell(fine, 0.6, 0.62)], [])


def given_answers() -> Results:
    """Answers alone, with a calibration split."""
    base = answers_only()
    file = given_file("a.csv + b.csv", format="answers", input_shape=None, preprocessing={"classes": CLASSES})
    one = base.cells[0]
    found = one.privacy.model_copy(update={"trainings": [], "references": 0})
    return base.model_copy(update={"cells": [one.model_copy(update={"audited": file, "privacy": found})]})


def png(rows: int, columns: int = 12, size: int = 32) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    width, height = columns * size, rows * size
    line = [
        bytes([0, *((x // size * 37 + y // size * 91 + x * y % 29) % 256 for x in range(width))]) for y in range(height)
    ]
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(b"".join(line)))
        + chunk(b"IEND", b"")
    )


def run_record() -> RunRecord:
    return RunRecord(
        started="2000-01-01T00:00:00+00:00",
        finished="2000-01-01T00:10:21+00:00",
        seconds=621.4,
        command="fer-audit run fixture.yaml",
        machine="a machine that does not exist, 2 cores",
        workers=2,
        trained=80,
        training_seconds={"0" * 64: 12.5, "1" * 64: 6.25},
        latencies=[
            Latency(model="ghostface", image_size=48, p50_ms=8.4, p95_ms=10.2, runs=50, images_per_s=118.0),
            Latency(model="ghostface", image_size=48, batch=32, p50_ms=61.0, p95_ms=70.1, runs=20, images_per_s=520.0),
            Latency(model="mobilenet-v2", image_size=48, p50_ms=6.1, p95_ms=7.7, runs=50),
        ],
    )


@pytest.fixture(scope="session")
def results() -> Results:
    return build()


@pytest.fixture(scope="session")
def few() -> Results:
    """Four cells of one model: what most tests of the page need."""
    return build(models=MODELS[:1], augmentations=AUGMENTATIONS[:2])


@pytest.fixture(scope="session")
def private() -> Results:
    """Cells under defences, some of them private, with audits of what they promise."""
    return private_results()


@pytest.fixture(scope="session")
def broken_promise() -> Results:
    """The same, with one promise that canaries refute."""
    return refuted_results()


@pytest.fixture(scope="session")
def audited() -> Results:
    """Results of signals from elsewhere."""
    return answers_only()


@pytest.fixture(scope="session")
def followed() -> Results:
    """Three checkpoints of a training that was not the run's."""
    return followed_results()


@pytest.fixture(scope="session")
def permuted() -> Results:
    """Two model files, the labels of one of which look permuted."""
    return permuted_results()


@pytest.fixture(scope="session")
def only_answers() -> Results:
    """Answers of a model that was not given."""
    return given_answers()


@pytest.fixture
def unmeasured() -> dict[str, None]:
    """What a cell lacks of which nothing is known."""
    return dict.fromkeys(MEASURED)


@pytest.fixture
def make_results() -> Callable[..., Results]:
    return build


@pytest.fixture
def make_folder(tmp_path: Path) -> Callable[..., Path]:
    def make(results: Results, *, run: bool = True) -> Path:
        write_results(results, tmp_path / "results.json")
        if run:
            write_run(run_record(), tmp_path / "run.json")
        for name in ("records", "suspects", "canaries"):
            (tmp_path / name).mkdir(exist_ok=True)
            (tmp_path / name / "a cell.csv").touch()
        for sheet in results.sheets:
            (tmp_path / sheet.file).write_bytes(png(len(sheet.labels)))
        for place in range(3):
            (tmp_path / f"tile-{place}.png").write_bytes(png(1 + place, columns=1 + place, size=48 // (1 + place)))
        return tmp_path

    return make
