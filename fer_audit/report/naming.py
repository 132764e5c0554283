"""What cells, treatments, label attacks and seeds are called on the page."""

from __future__ import annotations

from fer_audit.results import AttackResult, Cell, NoiseCurve, Results

CLEAN = "clean labels"
_NONE = "none"  #: label where there is no augmentation or no defence


def answers_only(results: Results) -> bool:
    """Whether only the answers of models were audited, so that nothing is known of images, training and costs."""
    return results.dataset.image_size is None


def given_models(results: Results) -> bool:
    """Whether models were audited as they were given, and not trained by the run."""
    return any(cell.audited is not None for cell in results.cells)


def tested_on(results: Results) -> str:
    """What accuracy was measured on: models that were given are tested on a list of their own, or on non-members."""
    if not given_models(results):
        return "the test split"
    return "the test list" if results.dataset.plugin.params.get("test") else "the non-members"


def threshold_setters(results: Results) -> str:
    """Who set the thresholds of the decisions."""
    held = [cell.audited.calibration for cell in results.cells if cell.audited and cell.audited.calibration]
    return "calibration rows" if held else "reference models"


def several_seeds(results: Results) -> bool:
    """Whether cells must be told apart by their seed; so also where only some cells of a grid are looked at."""
    return len(set(results.provenance.seeds)) > 1 or len({cell.seed for cell in results.cells}) > 1


def defended(cell: Cell) -> bool:
    """Whether something was done against leakage while the cell's models learnt."""
    return cell.defence not in ("", _NONE)


def with_defences(results: Results) -> bool:
    """Whether cells must be told apart by their defence."""
    return any(map(defended, results.cells))


def labels_name(cell: Cell) -> str:
    """What was done to the labels; empty where that is not known."""
    return CLEAN if cell.label_attack_plugin is None and cell.label_attack else cell.label_attack


def within_model(cell: Cell, seeds: bool) -> list[str]:
    """The parts that tell a cell from others of its model."""
    parts = [treatment(cell)] if treatment(cell) else []
    if cell.label_attack_plugin is not None:
        parts.append(cell.label_attack)
    if seeds:
        parts.append(f"seed {cell.seed}")
    return parts


def cell_name(cell: Cell, seeds: bool) -> str:
    """A cell in one line."""
    return " \u00b7 ".join([cell.model, *within_model(cell, seeds)])


def chain_name(cell: Cell) -> str:
    """Model and treatment of a cell."""
    return " \u00b7 ".join(part for part in (cell.model, treatment(cell)) if part)


def labels_and_seed(cell: Cell, seeds: bool) -> str:
    """What tells cells of one model and treatment apart."""
    parts = [labels_name(cell), f"seed {cell.seed}" if seeds else ""]
    return " \u00b7 ".join(part for part in parts if part)


def models(results: Results) -> list[str]:
    """Model labels in the grid's order."""
    return list(dict.fromkeys(cell.model for cell in results.cells))


def treatment(of: Cell | NoiseCurve) -> str:
    """Augmentation and defence, such as `randaug · dp-sgd(epsilon=8)`; the one that there is where there is one."""
    return joined_treatment(of.augmentation, of.defence)


def joined_treatment(augmentation: str, defence: str) -> str:
    """The label of an augmentation with a defence."""
    if defence in ("", _NONE):
        return augmentation
    return defence if augmentation in ("", _NONE) else f"{augmentation} \u00b7 {defence}"


def treatments(results: Results) -> list[str]:
    """Augmentations with their defences, in the grid's order."""
    return list(dict.fromkeys(map(treatment, results.cells)))


def attack_name(cell: Cell, attack: AttackResult) -> str:
    """An attack by its name, and by the parameters in which the cell's attacks of that name differ."""
    found = cell.privacy.attacks if cell.privacy else []
    name = attack.attack.name
    alike = [other.attack.params for other in found if other.attack.name == name]
    told = {key: value for key, value in attack.attack.params.items() if any(one.get(key) != value for one in alike)}
    return f"{name}({', '.join(f'{key}={value}' for key, value in told.items())})" if told else name


def attacks(results: Results) -> list[str]:
    """Membership attacks in the grid's order."""
    # Most cells have the same attacks, which are then named once.
    alike = {_attacks_with_parameters(cell): cell for cell in reversed(results.cells)}
    found = (alike[key] for key in dict.fromkeys(map(_attacks_with_parameters, results.cells)))
    return list(dict.fromkeys(attack_name(c, attack) for c in found if c.privacy for attack in c.privacy.attacks))


def _attacks_with_parameters(cell: Cell) -> tuple[tuple[str, str], ...]:
    found = cell.privacy.attacks if cell.privacy else []
    return tuple((attack.attack.name, repr(attack.attack.params)) for attack in found)
