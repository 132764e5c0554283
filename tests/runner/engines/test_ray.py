"""The Ray engine on a cluster of this machine: two nodes of one core each, and scripted workers."""

import contextlib
import tempfile
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from fer_audit.errors import FerAuditError, GridError
from fer_audit.grid import Resources
from fer_audit.runner.engines.events import Failed, Finished, Lost, Stepped
from fer_audit.runner.engines.node import Batch, StoreAccess
from fer_audit.runner.engines.pace import Pace
from fer_audit.runner.engines.ray import RayEngine, places
from fer_audit.time_left import Rate

ray = pytest.importorskip("ray", reason="Ray is not installed (pip install 'fer-audit[ray]')")

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*unclosed.*:ResourceWarning"),  # Ray's own sockets and files
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:ray"),
    pytest.mark.filterwarnings("ignore::FutureWarning:ray"),
]


@pytest.fixture(scope="module")
def cluster(script_folder):
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("RAY_USAGE_STATS_ENABLED", "0")
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
        nodes = [cluster.add_node(num_cpus=1), cluster.add_node(num_cpus=1)]
        ray.init(address=cluster.address, log_to_driver=False, logging_level="ERROR")
        yield SimpleNamespace(cluster=cluster, nodes=nodes)
        ray.shutdown()
        cluster.shutdown()


class Apart(RayEngine):
    """On a machine whose folders no node sees."""

    def _marked(self):
        return contextlib.nullcontext(StoreAccess("/nowhere", remote=False, mark="/nowhere/mark", token="x"))  # noqa: S106


@pytest.fixture
def run(cluster, store, script):
    """Runs trainings with scripted workers; returns the events but steps."""

    def run(trainings, *, engine=RayEngine, folders=(), on_event=lambda event: None, **resources):
        found = []
        with engine(store, folders, Resources(**resources), worker_module="scripted_worker") as opened:
            for event in opened.run(trainings):
                if not isinstance(event, Stepped):
                    found.append(event)
                    on_event(event)
        return found

    return run


def of(events, kind):
    return sorted(event.training.spec.seed for event in events if isinstance(event, kind))


def test_all_are_done_once_on_both_nodes(run, store, training, attempts):
    trainings = [training(program, number) for number, program in enumerate("aabbaabb")]
    events = run(trainings)
    assert of(events, Finished) == list(range(8))
    assert set(attempts().values()) == {1}
    assert {event.worker for event in events} == {0, 1}
    assert all(store.has(*one.job.fit) for one in trainings)


def test_a_worker_that_dies_costs_two_more_attempts_at_most(run, script, training, attempts):
    script(of1=["die", "segfault", "done"], of2=["die"])
    events = run([training("a", number) for number in range(5)])
    assert of(events, Lost) == [1, 1, 2, 2]
    assert of(events, Finished) == [0, 1, 3, 4]
    (failed,) = [event for event in events if isinstance(event, Failed)]
    assert failed.error.endswith("its worker died with status -9; that was attempt 3 of 3")
    assert attempts() == {0: 1, 1: 3, 2: 3, 3: 1, 4: 1}


@pytest.mark.release
def test_an_error_is_never_tried_again_and_one_of_the_program_fails_all_its_trainings(run, script, training, attempts):
    script(of1=["raise"], **{f"of{number}": ["unbuildable"] for number in range(2, 9)})
    events = run([training("a", 0), training("a", 1), *(training("b", number) for number in range(2, 9))])
    assert of(events, Finished) == [0]
    assert of(events, Failed) == list(range(1, 9))
    assert set(attempts().values()) == {1}
    assert len(attempts()) <= 2 + 2  # one of the program on each node


@pytest.mark.release
def test_a_worker_without_a_sign_is_ended_and_its_training_fails(run, script, training):
    script(of1=["hang"])
    events = run([training("a", number) for number in range(4)], timeout_minutes=0.03)
    assert of(events, Finished) == [0, 2, 3]
    (failed,) = [event for event in events if isinstance(event, Failed)]
    assert "about to hang" in failed.error
    assert "no sign of its worker for" in failed.error


def test_where_no_node_sees_the_store_results_come_back_with_the_messages(run, store, training):
    trainings = [training("a", number, data="d" * 64) for number in range(4)]
    store.write("datasets", "d" * 64, lambda folder: (folder / "faces").write_text("needed"))
    events = run(trainings, engine=Apart)
    assert of(events, Finished) == [0, 1, 2, 3]
    assert [store.path(*one.job.fit).joinpath("made").read_text() for one in trainings] == [
        f"{number} here" for number in range(4)
    ]
    assert store.about(*trainings[0].job.fit).title == "made"


def test_what_no_node_has_is_refused_before_anything_runs(run, training, script_folder):
    with pytest.raises(GridError, match="wants 2 cpus, but no node of the Ray cluster has that; the largest has"):
        run([training()], cpus=2)
    with pytest.raises(GridError, match=r"wants 1 cpus and 0\.5 gpus"):
        run([training()], gpus=0.5)
    assert not (script_folder / "attempts").exists()


@pytest.mark.release
def test_workers_that_can_not_start_end_the_run(run, script, training):
    script(start=["die"])
    with pytest.raises(FerAuditError, match="no worker can start on the cluster: can't start; its worker died"):
        run([training("a", number) for number in range(9)])


@pytest.mark.release
def test_a_batch_on_a_slow_node_is_relieved(run, script, training, attempts, monkeypatch):
    """The first training waits for all others, also those of its own batch, which the other node takes over."""
    monkeypatch.setattr("fer_audit.runner.engines.ray.Pace", Quick)
    script(of0=["until12"])
    events = run([training("a", number, rows=1000 - number) for number in range(12)])
    assert of(events, Finished) == list(range(12))
    assert set(attempts().values()) == {1}


class Quick(Pace):
    """Programs take no time to start, so that relief is worth it."""

    def _rate(self, program):
        return Rate(1000.0, start_seconds=0.01, overhead_seconds=0.0)


@pytest.mark.release
def test_another_version_on_a_node_is_said(run, monkeypatch, training):
    monkeypatch.setattr("fer_audit.runner.engines.ray.Batch", partial(Batch, version="0.0.1"))
    with pytest.raises(FerAuditError, match=r"but 0\.0\.1 where the run was started; install the same"):
        run([training()])


@pytest.mark.release
def test_a_run_that_is_left_takes_what_it_brought_away(run, store, script, training):
    """Images of people must not stay on a node, although Ray kills its tasks."""
    script(of0=["hang"])
    store.write("datasets", "d" * 64, lambda folder: (folder / "faces").write_text("needed"))

    def leave(event):
        raise KeyboardInterrupt

    before = set(Path(tempfile.gettempdir()).glob("fer-audit-batch-*"))
    with pytest.raises(KeyboardInterrupt):
        run([training("a", 0, data="d" * 64)], engine=Apart, on_event=leave)
    until = time.monotonic() + 20
    while (left := set(Path(tempfile.gettempdir()).glob("fer-audit-batch-*")) - before) and time.monotonic() < until:
        time.sleep(0.1)
    assert left == set()


@pytest.mark.parametrize(
    ("node", "cpus", "gpus", "expected"),
    [
        ({"CPU": 8.0}, 1, 0, 8),
        ({"CPU": 8.0}, 3, 0, 2),
        ({"CPU": 0.0}, 1, 0, 0),
        ({}, 1, 0, 0),
        ({"CPU": 8.0}, 0.5, 0, 16),
        ({"CPU": 8.0}, 1, 0.25, 0),
        ({"CPU": 8.0, "GPU": 1.0}, 1, 0.25, 4),
        ({"CPU": 8.0, "GPU": 2.0}, 1, 0.4, 4),  # a part lies on one card
        ({"CPU": 2.0, "GPU": 4.0}, 1, 1, 2),
        ({"CPU": 64.0, "GPU": 7.0}, 1, 2, 3),
    ],
)
def test_room_of_a_node(node, cpus, gpus, expected):
    assert places(node, cpus, gpus) == expected


def spare_node(cluster):
    """A node that the driver does not hang on."""
    mine = ray._private.worker.global_worker.node._raylet_socket_name
    return next(node for node in cluster.nodes if node._raylet_socket_name != mine)


def test_a_node_that_is_removed_costs_what_was_under_way_there(run, cluster, script, training, attempts):
    """Last of all, as the cluster is smaller afterwards."""
    script(**{f"of{number}": ["sleep0.3"] for number in range(12)})
    removed = []

    def remove(event):
        if isinstance(event, Finished) and not removed:
            removed.append(event)
            cluster.cluster.remove_node(spare_node(cluster), allow_graceful=False)

    events = run([training("a", number) for number in range(12)], on_event=remove)
    assert of(events, Finished) == list(range(12))
    assert len(of(events, Lost)) == 1
    assert sum(attempts().values()) <= 12 + 2  # that under way, and what was done but not yet told
