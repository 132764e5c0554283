import numpy as np
from PIL import Image

from fer_audit.data.dataset import FaceData, Rows
from fer_audit.data.hygiene import check_hygiene
from fer_audit.data.synthface import Synthface
from fer_audit.runner.dataset import attribute_counts, image_sizes, summarised, write_class_sheets


def test_a_dataset_is_summarised(tmp_path):
    dataset = Synthface(rows=40, test_rows=14)
    data = dataset.load(16, tmp_path)
    found = summarised(dataset, data, 16, check_hygiene(data, {}))
    assert (found.pool.rows, found.test.rows, found.population.rows) == (40, 14, 0)
    assert found.pool.per_class == np.bincount(data.pool.labels).tolist()
    assert found.plugin.params["rows"] == 40
    assert found.hygiene.exact.groups == 0
    counts = attribute_counts(data)
    assert set(counts) == {"intensity", "glasses", "occlusion", "skin", "pose", "age"}
    assert all(sum(values.values()) == 40 for values in counts.values())
    assert image_sizes(data) == []
    sheets = write_class_sheets(data, tmp_path)
    assert [sheet.title for sheet in sheets] == list(data.classes)
    for sheet in sheets:
        with Image.open(tmp_path / sheet.file) as image:
            assert image.width == 12 * 16


def test_sizes_are_those_of_real_images():
    traits = np.array([[30.0, 40, 1, 1, 0], [10, 10, 1, 0, 0], [20, 20, 1, 0, 0]])
    images = np.zeros((3, 8, 8, 3), np.uint8)
    images[1:, :, :4, 0] = 200  # the left half is red
    pool = Rows(images, np.zeros(3, np.int64), tuple("abc"), traits=traits)
    (found, _) = image_sizes(FaceData(("fear",), pool, pool, pool.take(np.array([], np.int64)), drawn=False))
    assert (found.smallest, found.median, found.largest) == ((10, 10), (20, 20), (30, 40))
    assert found.grey == 1 / 3


def test_identifiers_are_no_groups():
    names = tuple(map(str, range(50)))
    pool = Rows(
        np.zeros((50, 8, 8, 3), np.uint8), np.zeros(50, np.int64), names, attributes={"id": names, "sex": ("f",) * 50}
    )
    assert attribute_counts(FaceData(("fear",), pool, pool, pool, drawn=False)) == {"sex": {"f": 50}}
