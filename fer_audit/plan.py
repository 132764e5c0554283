"""The plan: a grid made into cells, and cells into trainings that are each done once.

Nothing here trains or imports TensorFlow.
"""

from __future__ import annotations

import functools
import itertools
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from importlib import metadata
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from fer_audit.attacks.label_attack import Corruption, LabelAttack, LabelContext
from fer_audit.attacks.membership_attack import MembershipAttack
from fer_audit.canary_section import Canaries
from fer_audit.cell_choice import Combination, cell_id, chosen
from fer_audit.data.cached import keep_cached, load_through
from fer_audit.data.canaries import Planted, plant
from fer_audit.data.codes import NUMBERED
from fer_audit.data.dataset import Dataset, FaceData
from fer_audit.data.splits import membership_matrix
from fer_audit.errors import GridError
from fer_audit.grid import NONE, Attacks, Grid, GridFile, PluginRef, chain_label
from fer_audit.grid_plugins import GridPlugins
from fer_audit.measure_specs import images_of, measure_specs
from fer_audit.measures_section import Measures
from fer_audit.registry import Registry
from fer_audit.resolved_defence import Recipe, guarantee_of, recipe_of, trained_with
from fer_audit.results import Guarantee, LeftOut, SourceFile, uncollected
from fer_audit.specs import (
    MeasureSpec,
    PluginIdentity,
    PrivateTraining,
    ProgramSpec,
    Training,
    TrainingJob,
    TrainingSpec,
    cost_key,
)
from fer_audit.store import ArtefactName, Store, array_digest

#: Packages whose version can change a weight.
_NUMERICS = ("tensorflow", "keras", "numpy", "imgaug", "opencv-python", "pillow", "scikit-image")


#: The number of a cell's training with canaries, beyond those of its references.
_CANARIES = 1_000_000

#: An attack that every pool can be attacked with.
_ANY_ATTACK = "loss-threshold"

#: That no bound on a privacy loss lies above the truth by chance.
_CONFIDENCE = 0.95


@dataclass(frozen=True)
class Labels:
    """The labels that a cell trains on, and what the label attack did to them."""

    given: npt.NDArray[np.int64]  #: (N,)
    corruption: Corruption | None
    attack: LabelAttack | None
    identity: PluginIdentity | None  #: of the attack


@dataclass(frozen=True)
class Line:
    """One line of the grid."""

    model: PluginRef
    chain: tuple[PluginRef, ...]
    defence: PluginRef
    label_attack: PluginRef
    seed: int
    model_identity: PluginIdentity
    augmentation_identities: tuple[PluginIdentity, ...]

    @property
    def id(self) -> str:
        """Readable and unique in the grid."""
        return cell_id(self.seed, self.label_attack, self.model, self.chain, self.defence)


@dataclass(frozen=True)
class PlannedCanaries:
    """A training with canaries among its rows."""

    training: str  #: key
    planted: Planted
    guarantee: Guarantee | None  #: of this training, for a person with as many images as a canary has copies


@dataclass(frozen=True)
class PlannedCell(Line):
    """A line with the trainings that it needs."""

    labels: Labels
    keep: npt.NDArray[np.bool_] | None  #: (M, N), or None where membership is not attacked
    utility: str  #: key of the training on the full pool
    privacy: tuple[str, ...]  #: (M,) keys of the trainings on halves
    guarantee: Guarantee | None = None  #: of the training on the full pool
    halves_guarantee: Guarantee | None = None  #: of each training on a half
    canaries: PlannedCanaries | None = None

    @property
    def trainings(self) -> tuple[str, ...]:
        """Keys of all trainings."""
        return (self.utility, *self.privacy, *([self.canaries.training] if self.canaries else []))


@dataclass
class Plan:
    """Everything that a run will do, known before anything runs."""

    grid: Grid
    file: GridFile
    registry: Registry
    dataset: Dataset
    data: FaceData
    fingerprint: str
    attacks: list[MembershipAttack]
    cells: list[PlannedCell] = field(default_factory=list)
    trainings: dict[str, Training] = field(default_factory=dict)
    done: set[str] = field(default_factory=set)
    left_out: list[LeftOut] = field(default_factory=list)
    code: list[SourceFile] = field(default_factory=list)  #: from outside fer-audit, as it is when it is imported

    @property
    def missing(self) -> list[Training]:
        """Trainings that are not in the store as a whole, those that share a program next to each other."""
        waiting = [training for key, training in self.trainings.items() if key not in self.done]
        return sorted(waiting, key=lambda training: training.spec.program.key)

    def wanted(self) -> set[ArtefactName]:
        """Kind and key of every artefact that the results of this plan are made from."""
        wanted: set[ArtefactName] = {("datasets", self.fingerprint)}
        for training in self.trainings.values():
            wanted.add(("datasets", training.spec.data))
            arrays = [training.spec.rows, training.spec.labels, *training.job.traces, *training.spec.held_out]
            wanted |= {*training.job.artefacts(), *training.job.corrupted()}
            wanted |= {("arrays", digest) for digest in arrays}
        return wanted | {("costs", cost_key(program)) for program in self.programs.values()}

    def room(self, store: Store) -> int:
        """Bytes that corrupted test images which are not in the store will take there."""
        image = int(np.prod(self.data.test.images.shape[1:]))
        jobs = [training.job for training in self.trainings.values()]
        waiting = {
            name: images_of(measure, len(self.data.test))
            for job in jobs
            for name, measure in zip(job.corrupted(), job.corruptions(), strict=True)
        }
        return sum(images * image for name, images in waiting.items() if not store.has(*name))

    @property
    def confidence(self) -> float:
        """Of each bound that is held against a promise, so that all of them together hold with 95 % (Bonferroni)."""
        promised = [cell for cell in self.cells if cell.guarantee]
        bounds = sum((cell.canaries is not None) + bool(self.attacks and cell.privacy) for cell in promised)
        return 1 - (1 - _CONFIDENCE) / max(1, bounds)

    @property
    def programs(self) -> dict[str, ProgramSpec]:
        """All programs by key, in the order of the grid's models."""
        return {training.spec.program.key: training.spec.program for training in self.trainings.values()}


def make_plan(file: GridFile, store: Store, cells: Sequence[str] = ()) -> Plan:
    """Checks every name and parameter, loads the data and counts the work; raises GridError, PluginError, DataError.

    Only the cells that patterns in `cells` mean are planned, or all where there are none. Of a grid with `audit` the
    reference models are planned.
    """
    if file.grid.audit is not None:
        return _reference_plan(file, store)
    return _whole_plan(file, store, cells)


def _reference_plan(file: GridFile, store: Store) -> Plan:
    """The trainings on halves of members and non-members alone, in one cell; raises GridError where there are none."""
    grid = file.grid
    if not grid.models:
        raise GridError(f"{file.path} audits models as they are, so that nothing is trained; fer-audit run audits them")
    # Any attack will do: it is what trainings on halves are planned for.
    attacks = Attacks(membership=(PluginRef(name=_ANY_ATTACK),))
    trained = {"audit": None, "attacks": attacks, "measures": Measures(), "gates": ()}
    plan = _whole_plan(file.model_copy(update={"grid": grid.model_copy(update=trained)}), store, ())
    wanted = {key for cell in plan.cells for key in cell.privacy}
    plan.trainings = {key: training for key, training in plan.trainings.items() if key in wanted}
    plan.done &= wanted
    return plan


def _whole_plan(file: GridFile, store: Store, cells: Sequence[str]) -> Plan:
    grid = file.grid
    combinations = chosen(grid, cells)
    registry = Registry.load(file.plugin_folders)
    plugins = GridPlugins(registry)
    dataset = cast("Dataset", plugins.create("dataset", grid.dataset))
    plugins.check_all(grid)
    attacks = [cast("MembershipAttack", plugins.create("membership-attack", ref)) for ref in grid.attacks.membership]
    fingerprint, data = load_through(store, dataset, grid.training.image_size, file.base)
    for attack in attacks:
        # A target is attacked with all other models but its complement.
        attack.check_plan(
            references=grid.privacy.references - 2,
            population=len(data.population) > 0,
            queries=len(grid.privacy.queries),
            subjects=data.pool.subjects is not None,
        )
    plan = Plan(grid, file, registry, dataset, data, fingerprint, attacks, code=plugins.code(file))
    with uncollected():
        _add_cells(plan, plugins, store, combinations)
        _look_up(plan, store)
    return plan


def _look_up(plan: Plan, store: Store) -> None:
    """Notes what the store has of each training: everything, all but answers, or too little."""
    whole = store.has_all(name for training in plan.trainings.values() for name in training.job.artefacts())
    for key, training in plan.trainings.items():
        job = training.job
        fitted, answered = whole.issuperset(job.along_the_way()), whole.issuperset(job.answers())
        unmeasured = [m for m, name in zip(job.measures, job.measured(), strict=True) if name not in whole]
        if fitted and answered and not unmeasured:
            plan.done.add(key)
        # Answers can be had from the weights; losses along the way only by training again.
        measured = sum(images_of(measure, len(plan.data.test)) for measure in unmeasured)
        if fitted or measured:
            plan.trainings[key] = replace(training, fitted=fitted, measured=measured)


def _add_cells(plan: Plan, plugins: GridPlugins, store: Store, combinations: Sequence[Combination]) -> None:
    grid, data = plan.grid, plan.data
    shared = _Shared(plan, store)
    combinations = _possible(plan, plugins, combinations)
    for seed, of_seed in itertools.groupby(combinations, lambda cell: cell[0]):
        keep = None
        if plan.attacks or grid.measures.label_errors:
            keep = membership_matrix(grid.privacy.references, data.pool.labels, data.pool.units, seed)
        for attack_ref, of_attack in itertools.groupby(of_seed, lambda cell: cell[1]):
            material = shared.material(_given_labels(plan, plugins, attack_ref, seed), keep)
            for _, _, model, chain, defence in of_attack:
                identities = tuple(plugins.identity("augmentation", ref) for ref in chain)
                line = Line(model, chain, defence, attack_ref, seed, plugins.identity("model", model), identities)
                plan.cells.append(shared.cell(line, material))


def _possible(plan: Plan, plugins: GridPlugins, combinations: Sequence[Combination]) -> list[Combination]:
    """The combinations that can be, the others noted as left out; raises GridError where none can be."""
    reasons: dict[tuple[str, str], str] = {}
    possible = list[Combination]()
    for combination in combinations:
        *_, chain, defence = combination
        known = (chain_label(chain), defence.label)
        if known not in reasons:
            reasons[known] = _why_not(plan, plugins, chain, defence)
        if reasons[known]:
            plan.left_out.append(LeftOut(id=cell_id(*combination), reason=reasons[known]))
        else:
            possible.append(combination)
    if not possible:
        first = plan.left_out[0]
        raise GridError(
            f"no cell is left to run: {first.id} can't be, as {first.reason}; expected an augmentation that changes "
            f"each image on its own, such as randaug, or none"
        )
    return possible


def _why_not(plan: Plan, plugins: GridPlugins, chain: tuple[PluginRef, ...], defence: PluginRef) -> str:
    """Why augmentations can't be had with a defence; empty where they can."""
    recipe = recipe_of(defence, plan.grid.training)
    sizes = plan.grid.training.image_size, len(plan.data.classes), recipe.batch_size
    mixed = [ref.label for ref in chain if recipe.private and plugins.mixes(ref, *sizes)]
    if not mixed:
        return ""
    return (
        f"{mixed[0]} mixes rows, so that an image is in several clipped gradients, which the accounting of "
        f"{defence.name} does not cover"
    )


def _given_labels(plan: Plan, plugins: GridPlugins, ref: PluginRef, seed: int) -> Labels:
    data = plan.data
    true = np.asarray(data.pool.labels)
    if ref.name == NONE:
        if ref.params:
            raise GridError(f"the label attack {NONE!r} takes no parameters, received {ref.params}")
        return Labels(true, None, None, None)
    attack = cast("LabelAttack", plugins.create("label-attack", ref))
    # Seeded by name, not by parameters: a higher rate then corrupts the rows of the lower one and more.
    rng = np.random.default_rng([seed, zlib.crc32(ref.name.encode())])
    context = LabelContext(
        classes=data.classes,
        rng=rng,
        images=data.pool.images,
        names=data.pool.names,
        subjects=data.pool.units,
        base=plan.file.base,
        test_names=data.test.names,
        test_labels=np.asarray(data.test.labels),
        population_names=data.population.names,
        codes=NUMBERED,
    )
    corruption = attack(true, context)
    return Labels(corruption.labels, corruption, attack, plugins.identity("label-attack", ref))


@dataclass(frozen=True, eq=False)
class _Learnt:
    """What a training learns from, its arrays in the store."""

    rows: str  #: address of int64 (K,)
    labels: str  #: address of int64 (K,)
    pixels: str  #: digest of their images
    people: npt.NDArray[np.int64]  #: (K,)
    data: str  #: address of the dataset that `rows` are of

    def __len__(self) -> int:
        return len(self.people)


@dataclass(frozen=True, eq=False)
class _Material:
    """What all cells of one seed and one label attack train on."""

    labels: Labels
    keep: npt.NDArray[np.bool_] | None  #: (M, N)
    pool: _Learnt
    halves: tuple[_Learnt, ...]  #: (M,)
    traces: tuple[str, ...]  #: addresses of the labels against which losses on the pool are followed


class _Shared:
    """Adds cells to a plan; a training that two cells want is added once."""

    def __init__(self, plan: Plan, store: Store) -> None:
        self._plan = plan
        self._store = store
        self._kept: set[str] = set()  #: addresses of arrays that the store has
        self._images = plan.data.pool.image_digests()
        self._pool_images = array_digest(self._images)
        self._test_images = array_digest(plan.data.test.image_digests())
        self._population_images = array_digest(plan.data.population.image_digests())
        self._test_labels = array_digest(np.asarray(plan.data.test.labels))
        self._units = plan.data.pool.units
        self._versions = {name: metadata.version(name) for name in _NUMERICS}
        self._programs: dict[tuple[str, str], ProgramSpec] = {}
        self._with_canaries: dict[tuple[int, str], tuple[Planted, _Learnt, str]] = {}

    def material(self, labels: Labels, keep: npt.NDArray[np.bool_] | None) -> _Material:
        """What cells with these `labels` and halves `keep` (M, N) train on."""
        halves = [] if keep is None else [np.flatnonzero(members) for members in keep]
        return _Material(
            labels=labels,
            keep=keep,
            pool=self._learnt(labels.given, np.arange(len(labels.given))),
            halves=tuple(self._learnt(labels.given, rows) for rows in halves),
            traces=(self._keep(labels.given),) if halves and self._traced else (),
        )

    def _learnt(self, given: npt.NDArray[np.int64], rows: npt.NDArray[np.int64]) -> _Learnt:
        people = rows if self._units is None else self._units[rows]
        pixels = array_digest(self._images[rows])
        return _Learnt(self._keep(rows), self._keep(given[rows]), pixels, people, self._plan.fingerprint)

    def _keep(self, array: npt.NDArray[Any]) -> str:
        """The address of an array in the store, which is asked once for each."""
        digest = array_digest(array)
        if digest not in self._kept:
            self._kept.add(self._store.write_array(array))
        return digest

    def cell(self, line: Line, material: _Material) -> PlannedCell:
        """The planned cell, its trainings added to the plan."""
        parts = [line.model.label, chain_label(line.chain), line.label_attack.label, f"seed {line.seed}"]
        if line.defence.name != NONE:
            parts.insert(2, line.defence.label)
        title, pool, halves = " · ".join(parts), material.pool, material.halves
        guarantee = self._guarantee(line.defence.label, len(pool), self._most_images)
        spec = self._spec(line, pool, guarantee, number=0, follow_test=True)
        wanted: Any = {"follow_pool": self._follows(material.labels), "measures": self._measures(line.model.label)}
        utility = self._add(spec, f"{title} · utility", len(pool), queries=("identity",), **wanted)
        privacy, of_halves, queries = [], None, self._plan.grid.privacy.queries
        if halves:
            # Halves differ by a few rows where people stay whole; what is promised is counted for the largest.
            of_halves = self._guarantee(line.defence.label, max(map(len, halves)), self._most_images)
        for number, half in enumerate(halves, 1):
            # Seeds are shared by cells on purpose: differences between cells are then paired.
            spec = self._spec(line, half, of_halves, number=number, follow_test=False)
            label = f"{title} · reference {number}/{len(halves)}"
            privacy.append(self._add(spec, label, len(half), queries=queries, traces=material.traces))
        return PlannedCell(
            **vars(line),
            labels=material.labels,
            keep=material.keep,
            utility=utility,
            privacy=tuple(privacy),
            guarantee=guarantee,
            halves_guarantee=of_halves,
            canaries=self._canaries(line, material.labels, title),
        )

    def _canaries(self, line: Line, labels: Labels, title: str) -> PlannedCanaries | None:
        section = self._plan.grid.canaries
        if section is None:
            return None
        planted, learnt, images = self._planted(line.seed, labels)
        # The mechanism that is put to the test is that of the utility model, to the number of steps and the noise. But
        # where rows are shuffled each has a place in each epoch, and coins may fall for all canaries.
        private = self._recipe(line.defence.label).private
        shuffled = private is not None and private.sampling == "shuffle"
        public_rows = planted.most_rows if shuffled else len(self._plan.data.pool)
        group = section.repeats if section.repeats > 1 else None
        guarantee = self._guarantee(line.defence.label, public_rows, group)
        spec = self._spec(line, learnt, guarantee, number=_CANARIES, follow_test=False)
        key = self._add(spec, f"{title} · canaries", len(learnt), queries=("identity",), pool=images)
        return PlannedCanaries(key, planted, guarantee)

    def _planted(self, seed: int, labels: Labels) -> tuple[Planted, _Learnt, str]:
        """The canaries of a seed and of given labels, what is learnt from with them, and the digest of its pool."""
        known = (seed, array_digest(labels.given))
        if known not in self._with_canaries:
            section = cast("Canaries", self._plan.grid.canaries)
            planted = plant(self._plan.data, labels.given, section, seed)
            address, images = keep_cached(self._store, planted.data), planted.data.pool.image_digests()
            units, rows = planted.data.pool.units, planted.rows
            people, given = rows if units is None else units[rows], planted.labels[rows]
            learnt = _Learnt(self._keep(rows), self._keep(given), array_digest(images[rows]), people, address)
            self._with_canaries[known] = planted, learnt, array_digest(images)
        return self._with_canaries[known]

    @functools.cache  # noqa: B019 - lives as long as the plan is made
    def _recipe(self, defence: str) -> Recipe:
        ref = next(ref for ref in self._plan.grid.defences if ref.label == defence)
        return recipe_of(ref, self._plan.grid.training)

    @functools.cache  # noqa: B019 - lives as long as the plan is made
    def _guarantee(self, defence: str, rows: int, group: int | None) -> Guarantee | None:
        """What training on `rows` rows promises an image, and `group` images together."""
        return guarantee_of(self._recipe(defence), rows, group)

    @functools.cached_property
    def _most_images(self) -> int | None:
        """Images of the person with most, where people are known."""
        return None if self._units is None else int(np.unique(self._units, return_counts=True)[1].max())

    def _spec(
        self, line: Line, learnt: _Learnt, guarantee: Guarantee | None, *, number: int, follow_test: bool
    ) -> TrainingSpec:
        recipe, seed = self._recipe(line.defence.label), _derived_seed(line.seed, number)
        spec = TrainingSpec(
            program=self._program(line),
            augmentations=line.augmentation_identities,
            epochs=recipe.epochs,
            learning_rate=recipe.learning_rate,
            schedule=self._plan.grid.training.optimizer.schedule,
            seed=seed,
            pixels=learnt.pixels,
            labels=learnt.labels,
            test_pixels=self._test_images,
            test_labels=self._test_labels if follow_test else None,
            versions=self._versions,
            defence=trained_with(recipe, guarantee, learnt.people, seed, self._keep),
            rows=learnt.rows,
            data=learnt.data,
        )
        if not isinstance(spec.defence, PrivateTraining):
            return spec
        # Two trainings with the same noise would give each other's away: the difference of their weights has less of
        # it, or none. No training shares coins or noise with another.
        return spec.model_copy(update={"seed": int(spec.key[:8], 16)})

    def _program(self, line: Line) -> ProgramSpec:
        """The program of a line, one object for all lines that share it."""
        known = (line.model.label, line.defence.label)
        if known not in self._programs:
            self._programs[known] = self._new_program(line.model_identity, self._recipe(line.defence.label))
        return self._programs[known]

    def _new_program(self, model: PluginIdentity, recipe: Recipe) -> ProgramSpec:
        """The program of a model; what its optimizer does not use is not part of it."""
        training, optimizer = self._plan.grid.training, self._plan.grid.training.optimizer
        return ProgramSpec(
            model=model,
            input_shape=(training.image_size, training.image_size, 3),
            classes=len(self._plan.data.classes),
            batch_size=recipe.batch_size,
            optimizer=optimizer.name,
            weight_decay=optimizer.weight_decay if optimizer.name == "adamw" else 0.0,
            momentum=optimizer.momentum if optimizer.name == "sgd" else 0.0,
            clip_norm=optimizer.clip_norm,
            private=recipe.step,
        )

    @functools.cached_property
    def _traced(self) -> bool:
        """Whether the grid or an attack wants losses along the way."""
        return self._plan.grid.privacy.loss_trace or any(attack.needed().loss_trace for attack in self._plan.attacks)

    @functools.cache  # noqa: B019 - lives as long as the plan is made
    def _measures(self, model: str) -> tuple[MeasureSpec, ...]:
        return measure_specs(self._plan.grid.measures, self._plan.data, model)

    def _follows(self, labels: Labels) -> bool:
        """Whether what the utility model says of corrupted rows is followed epoch by epoch."""
        return self._plan.grid.measures.memorisation is not None and bool(
            labels.corruption and labels.corruption.corrupted.any()
        )

    def _add(
        self,
        spec: TrainingSpec,
        title: str,
        rows: int,
        *,
        queries: tuple[str, ...],
        pool: str | None = None,
        **wanted: Any,
    ) -> str:
        """Adds a training to the plan, or what is wanted of it to one that is there already; returns its key.

        It is asked about the plan's pool, or about one whose images have the digest `pool`.
        """
        job = TrainingJob(
            training=spec,
            queries=queries,
            pool=pool or self._pool_images,
            population=self._population_images,
            **wanted,
        )
        key = spec.key
        known = self._plan.trainings.get(key)
        # Cells may share a fit and yet follow other losses: their labels may differ on rows that it does not see.
        job = job if known is None else known.job.joined(job)
        asked = len(job.queries) * (len(self._plan.data.pool) + len(self._plan.data.population))
        title = title if known is None else known.title
        self._plan.trainings[key] = Training(job, key, title, rows, asked)
        return key


@functools.lru_cache(maxsize=1024)
def _derived_seed(seed: int, number: int) -> int:
    """A seed for training `number` of a cell (0 is the utility model), far from those of its neighbours."""
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
