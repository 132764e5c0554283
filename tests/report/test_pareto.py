from hypothesis import given
from hypothesis import strategies as st

from fer_audit.report.charts.pareto import pareto_front

#: From few values, so that points often share one or both.
POINTS = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)).map(lambda p: (p[0] / 6, p[1] / 6)), max_size=40)


def dominates(one, other):
    return one[0] <= other[0] and one[1] >= other[1] and one != other


@given(POINTS)
def test_the_front_is_what_nothing_dominates(points):
    free = {at for at, point in enumerate(points) if not any(dominates(one, point) for one in points)}
    front = pareto_front(points)
    assert set(front) == free
    assert len(front) == len(free)


@given(POINTS)
def test_the_front_rises_from_left_to_right(points):
    front = [points[at] for at in pareto_front(points)]
    assert front == sorted(front)
    assert [accuracy for _, accuracy in front] == sorted(accuracy for _, accuracy in front)


def test_equal_points_are_all_on_the_front():
    assert pareto_front([(0.6, 0.8), (0.5, 0.7), (0.6, 0.8), (0.6, 0.7), (0.7, 0.8)]) == [1, 0, 2]


def test_nothing_has_no_front():
    assert pareto_front([]) == []
