"""Dealing out to a cluster that only plays one: what is said comes from a script."""

from collections import deque

import pytest

from fer_audit.errors import StoreError
from fer_audit.runner.engines import dealing
from fer_audit.runner.engines.dealing import ClusterError, Dealing, Told
from fer_audit.runner.engines.events import Failed, Finished, Lost
from fer_audit.runner.engines.pace import Pace
from fer_audit.runner.rates import Rates


class Played:
    """Room for some batches; each submitted batch is answered by a function of its trainings and its number."""

    def __init__(self, store, answer, slots=1):
        self.store, self.answer, self.room = store, answer, slots
        self.submitted, self.ended, self.said = [], [], {}

    def slots(self):
        return self.room

    def look_again(self):
        pass

    def refusal(self):
        return "no node"

    def submit(self, trainings, *, waits, provided):
        number = len(self.submitted)
        self.submitted.append((list(trainings), waits, provided))
        self.said[number] = deque([*self.answer(trainings, number), Told(number, over=True)])
        return number

    def listen(self, tasks, seconds):
        task = tasks[0]
        if self.said[task]:
            yield self.said[task].popleft()._replace(task=task)

    def end(self, tasks):
        self.ended += tasks


def says(event, training, **more):
    return {"event": event, "key": training.key, **more}


def done(training):
    return Told(0, [says("started", training), says("done", training, laps={"steps": 1.0})])


@pytest.fixture
def deal(store):
    def deal(trainings, answer, **settings):
        cluster = Played(store, answer, **settings)
        events = list(Dealing(cluster, trainings, Pace(Rates(store))).events())
        return events, cluster

    return deal


def of(events, kind):
    return sorted(event.training.spec.seed for event in events if isinstance(event, kind))


def test_what_a_batch_leaves_undone_is_dealt_out_again(deal, training):
    trainings = [training("a", number) for number in range(5)]
    events, cluster = deal(trainings, lambda batch, number: [done(batch[0])])
    assert of(events, Finished) == [0, 1, 2, 3, 4]
    assert len(cluster.submitted) == 5


def test_a_lost_node_costs_an_attempt_of_what_was_under_way_and_of_nothing_else(deal, training):
    trainings = [training("a", number) for number in range(3)]

    def answer(batch, number):
        return [Told(0, lost="its node was lost: gone")] if number < 2 else map(done, batch)

    events, cluster = deal(trainings, answer)
    assert len(of(events, Lost)) == 2
    assert of(events, Finished) == [0, 1, 2]
    assert {0, 1} <= set(cluster.ended)  # a task whose words alone were lost must not go on


def test_starts_that_fail_now_and_then_do_not_add_up_and_cost_no_attempt(deal, training):
    trainings = [training("a", number) for number in range(4)]

    def answer(batch, number):
        died = says("lost", batch[0], error="can't start", started=False)
        return [Told(0, [says("started", batch[0]), died])] if number % 2 == 0 else [done(batch[0])]

    events, _ = deal(trainings, answer)
    assert of(events, Finished) == [0, 1, 2, 3]
    assert of(events, Lost) == []


def test_starts_that_fail_in_a_row_end_the_run(deal, training):
    def answer(batch, number):
        return [Told(0, [says("lost", batch[0], error="no TensorFlow\nits worker died", started=False)])]

    with pytest.raises(ClusterError, match="no worker can start on the cluster: no TensorFlow; its worker died"):
        deal([training("a", 0)], answer)


def test_a_node_with_other_packages_ends_the_run_and_fails_nothing(deal, training):
    def answer(batch, number):
        return [Told(0, [says("unfit", batch[0], error="keras is 3.14 on node-7", program=True)])]

    with pytest.raises(ClusterError, match=r"keras is 3\.14 on node-7"):
        deal([training("a", 0)], answer)


def test_where_a_node_can_not_reach_the_store_batches_come_with_what_they_read(deal, training):
    def answer(batch, number):
        return [Told(0, [{"event": "unreachable"}])] if number == 0 else map(done, batch)

    events, cluster = deal([training("a", number) for number in range(2)], answer)
    assert of(events, Finished) == [0, 1]
    assert [provided for _, _, provided in cluster.submitted[:2]] == [False, True]
    with pytest.raises(StoreError, match="lacks the images of the grid"):
        deal([training("a", 0)], lambda batch, number: [Told(0, [{"event": "unreachable"}])])


def test_what_another_run_is_busy_with_is_waited_for_at_the_end(deal, training):
    def answer(batch, number):
        return [Told(0, [says("busy", batch[0])])] if number == 0 else map(done, batch)

    events, cluster = deal([training("a", number) for number in range(2)], answer)
    assert of(events, Finished) == [0, 1]
    assert [waits for _, waits, _ in cluster.submitted] == [False, False, True]


def test_an_error_of_a_task_fails_what_was_under_way(deal, training):
    def answer(batch, number):
        return [Told(0, raised="ValueError: no")] if number == 0 else map(done, batch)

    events, _ = deal([training("a", number) for number in range(2)], answer)
    assert (of(events, Failed), of(events, Finished)) == ([0], [1])


def test_a_cluster_that_gets_no_node_ends_the_run(deal, monkeypatch, training):
    monkeypatch.setattr(dealing, "_PATIENCE", 0.05)
    monkeypatch.setattr(dealing, "LOOK_EVERY", 0.01)
    with pytest.raises(ClusterError, match="no node; what was finished is kept"):
        deal([training()], lambda batch, number: [], slots=0)
