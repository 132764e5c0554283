"""Answers without a model, from every format."""

import hashlib
import zipfile

import numpy as np
import pandas as pd
import pytest

from fer_audit.data import answer_columns, npz_arrays
from fer_audit.data.answer_files import read_answers
from fer_audit.errors import SignalsError

CLASSES = ("happiness", "neutral", "anger")
LOGITS = np.random.default_rng(0).normal(size=(12, 3)).astype(np.float32)
LABELS = np.arange(12) % 3


def frame(prefix="logit_", values=LOGITS):
    columns = {"label": [CLASSES[label] for label in LABELS], "subject": [f"p{row // 2}" for row in range(12)]}
    columns |= {f"{prefix}{name}": values[:, place] for place, name in enumerate(CLASSES)}
    return pd.DataFrame(columns | {"light": ["day", "lamp"] * 6})


def softmax(logits):
    odds = np.exp(logits.astype(np.float64))
    return odds / odds.sum(axis=1, keepdims=True)


def write(folder, kind):
    path = folder / f"answers.{kind}"
    if kind == "csv":
        frame().to_csv(path, index=False)
    elif kind == "parquet":
        frame().to_parquet(path)
    else:
        people = [f"p{row // 2}" for row in range(12)]
        named = {"classes": np.array(CLASSES), "labels": LABELS, "subjects": np.array(people)}
        np.savez(path, logits=LOGITS, attribute_light=np.array(["day", "lamp"] * 6), **named)
    return path


@pytest.mark.parametrize("kind", ["csv", "parquet", "npz"])
def test_every_format_says_the_same(tmp_path, kind):
    found = read_answers(write(tmp_path, kind))
    np.testing.assert_allclose(found.logits[:, 0], LOGITS, rtol=1e-6)
    np.testing.assert_array_equal(found.labels, LABELS)
    assert (found.classes, found.outputs) == (CLASSES, "logits")
    assert found.subjects[:3] == ("p0", "p0", "p1")
    assert dict(found.attributes) == {"light": ("day", "lamp") * 6}
    assert len(found.sha256) == 64


def test_probabilities_become_logits_that_give_them_back(tmp_path):
    path = tmp_path / "answers.csv"
    probabilities = softmax(LOGITS)
    probabilities[0] = [1, 0, 0]
    frame("probability_", probabilities).to_csv(path, index=False)
    found = read_answers(path)
    assert found.outputs == "probabilities"
    np.testing.assert_allclose(softmax(found.logits[:, 0]), probabilities, atol=1e-6)


def test_outputs_are_put_into_the_order_of_the_other_file(tmp_path):
    found = read_answers(write(tmp_path, "csv"))
    other = ("neutral", "anger", "happiness")
    turned = found.in_order(other)
    np.testing.assert_array_equal(turned.logits[:, 0], LOGITS[:, [1, 2, 0]])
    assert [other[label] for label in turned.labels] == [CLASSES[label] for label in LABELS]
    with pytest.raises(SignalsError, match="they differ in anger, fear"):
        found.in_order(("neutral", "fear", "happiness"))


def test_several_queries_of_an_image(tmp_path):
    path = tmp_path / "answers.npz"
    both = np.stack([LOGITS, LOGITS + 1], axis=1)
    np.savez(path, logits=both, labels=np.array([CLASSES[label] for label in LABELS]), classes=np.array(CLASSES))
    assert read_answers(path).logits.shape == (12, 2, 3)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty: expected a header"),
        ("label,logit_a\na,1\n", "two classes or more"),
        ("label,logit_a,logit_b\n", "received 0"),
        ("logit_a,logit_b\n1,2\n", "no column 'label'"),
        ("lable,logit_a,logit_b\na,1,2\n", "did you mean 'lable'"),
        ("label,logit_a,logit_b\nc,1,2\n", "line 2: label 'c' is none of the classes a, b"),
        ("label,logit_a,logit_b\n7,1,2\n", "label '7'"),
        ("label,logit_a,logit_b\na,1\n", "line 2: expected 3 values"),
        ("label,logit_a,logit_b\na,1,two\n", "line 2: logit_b must be a number, received 'two'"),
        ("label,logit_a,logit_b\na,1,nan\n", r"line 2: the answer for b is nan.*in 1 of 1 rows"),
        ("label,logit_a,logit_b\na,1,inf\n", "line 2: the answer for b is inf"),
        ("label,logit_a,logit_a\na,1,2\n", "'logit_a' twice"),
        ("label,logit_happy,logit_happiness\nhappy,1,2\n", "are one"),
        ("label,logit_a,logit_b,probability_a,probability_b\na,1,2,.5,.5\n", "received both"),
        ("label,logit_a,logit_b\n\na,1,2\na,1,1e39\n", r"line 4: the answer for b is 1e\+39"),
        ("label,logit_a,logit_b\n" + "9" * 5000 + ",1,2\n", "label '9{40}' is none"),
        ("label,,logit_a,logit_b\na,0,1,2\n", r"without a name.*index=False"),
        ("label,logit_,logit_b\nb,1,2\n", "has no name"),
        ("label,Logit_a,logit_b,logit_c\nb,1,2,3\n", "did you mean 'logit_a'"),
        ("label,Subjects,logit_a,logit_b\na,anna,1,2\n", "did you mean 'subject'"),
        ("label,subject,logit_a,logit_b\na,,1,2\n", "line 2: subject is empty"),
        (
            "label,probability_a,probability_b\na,.5,.6\n",
            r"line 2: probabilities must be 0 or more and sum to 1.*a sum of 1\.1",
        ),
        ("label,probability_a,probability_b\na,1.5,-.5\n", r"line 2: probabilities .* a smallest of -0\.5"),
    ],
)
def test_each_mistake_in_a_csv_is_one_sentence(tmp_path, text, said):
    path = tmp_path / "answers.csv"
    path.write_text(text)
    with pytest.raises(SignalsError, match=said) as error:
        read_answers(path)
    assert "\n" not in str(error.value)


def test_a_file_of_another_kind_or_none_is_told(tmp_path):
    (tmp_path / "answers.txt").write_text("label\n")
    for name, said in (("answers.txt", "expected answers in a file"), ("none.csv", "No such file")):
        with pytest.raises(SignalsError, match=said):
            read_answers(tmp_path / name)


@pytest.mark.parametrize("kind", ["csv", "parquet", "npz"])
def test_a_damaged_file_is_read_or_refused_in_one_sentence(tmp_path, kind):
    whole = write(tmp_path, kind).read_bytes()
    if kind == "npz":
        np.savez_compressed(tmp_path / "packed.npz", logits=LOGITS, labels=LABELS, classes=np.array(CLASSES))
        whole = (tmp_path / "packed.npz").read_bytes()
    path, rng, refused = tmp_path / f"damaged.{kind}", np.random.default_rng(0), 0
    for trial in range(150):
        damaged = np.frombuffer(whole, np.uint8).copy()
        damaged[rng.integers(0, len(damaged), 1 + trial % 4)] = rng.integers(0, 256, 1 + trial % 4)
        path.write_bytes(damaged.tobytes()[: None if trial % 3 else rng.integers(len(damaged))])
        try:
            read_answers(path)
        except SignalsError as error:
            refused += 1
            assert "\n" not in str(error)  # noqa: PT017 - not every damaged file is refused
    assert refused > 50


@pytest.mark.parametrize("kind", ["parquet", "npz"])
def test_a_truncated_file_is_one_sentence(tmp_path, kind):
    path = write(tmp_path, kind)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(SignalsError, match="is not a") as error:
        read_answers(path)
    assert "\n" not in str(error.value)


def test_pickles_are_refused(tmp_path):
    path = tmp_path / "answers.npz"
    objects = np.array([print, 1, None], object)
    np.savez(path, logits=LOGITS, labels=objects, classes=np.array(CLASSES))
    with pytest.raises(SignalsError, match="plain arrays"):
        read_answers(path)


def test_a_zip_bomb_is_refused_before_it_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(npz_arrays, "MOST_BYTES", 1 << 20)
    path = tmp_path / "answers.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("logits.npy", bytes(4 << 20))
    assert path.stat().st_size < 10_000
    with pytest.raises(SignalsError, match="would take 4,194,304 bytes in memory"):
        read_answers(path)


def header(shape, descr="<f4"):
    """An array's header, and no values."""
    text = repr({"descr": descr, "fortran_order": False, "shape": shape})
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (header((1 << 40, 3)), "expected 13,194,139,533,312 bytes, received 0"),
        (header((1 << 62, 3)), "received 0"),
        (header((-1, 3)), "received 0"),
        (header((12,), "<U900000000"), "received 0"),
        (b"\x93NUMPY\x01\x00\x10\x00{'descr': (((((\n", "is not an array of NumPy"),
        (b"\x93NUMPY\x02\x00" + (9000).to_bytes(4, "little") + b"(" * 9000, "is not an array of NumPy"),
        (b"hello", "is not an array of NumPy"),
        (b"\x93NUMPY\x03\x00", "expected plain arrays"),
    ],
)
def test_room_is_made_for_no_array_that_is_not_there(tmp_path, content, said):
    path = tmp_path / "answers.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("logits.npy", content)
    with pytest.raises(SignalsError, match=said) as error:
        read_answers(path)
    assert "\n" not in str(error.value)


def test_few_bytes_of_parquet_can_not_ask_for_much_memory(tmp_path, monkeypatch):
    path, rows = tmp_path / "answers.parquet", 200_000
    pd.DataFrame({"label": ["a"] * rows, "logit_a": np.zeros(rows), "logit_b": np.zeros(rows)}).to_parquet(path)
    assert path.stat().st_size < 10_000
    monkeypatch.setattr(npz_arrays, "MOST_BYTES", 1 << 20)
    with pytest.raises(SignalsError, match="would take 4,800,000 bytes"):
        read_answers(path)
    monkeypatch.undo()
    monkeypatch.setattr(answer_columns, "_MOST_ROWS", 100_000)
    with pytest.raises(SignalsError, match="200,000 rows; expected at most 100,000"):
        read_answers(path)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"labels": np.array(3)}, "labels must be one text or number a row, received int64"),
        ({"labels": LABELS[:5]}, "a label for each of the 12 rows, received 5"),
        ({"labels": LABELS.astype(float)}, "label '0.0' is none"),
        ({"subject": LABELS}, "did you mean 'subjects'"),
        ({"names": np.array(["x"])}, "received 1"),
        ({"attribute_light": np.zeros((12, 2))}, "attribute_light must be one"),
        ({"logits": LOGITS[:, :2]}, r"logits must be float \(N, 3\)"),
        ({"logits": LOGITS.astype(int)}, "logits must be float"),
        ({"logits": np.zeros((12, 0, 3), np.float32)}, "received no queries"),
        ({"logits": LOGITS.astype(np.float64) * 1e300}, r"row 1: the answer for happiness.*in 12 of 12 rows"),
        ({"probabilities": np.full((12, 3), 1 / 3)}, "received both"),
    ],
)
def test_each_mistake_in_an_npz_is_one_sentence(tmp_path, changed, said):
    path = tmp_path / "answers.npz"
    np.savez(path, **{"logits": LOGITS, "labels": LABELS, "classes": np.array(CLASSES), **changed})
    with pytest.raises(SignalsError, match=said) as error:
        read_answers(path)
    assert "\n" not in str(error.value)


def test_an_attribute_may_have_any_name_and_text_may_be_bytes(tmp_path):
    path = tmp_path / "answers.npz"
    named = {"attribute_row": np.array([b"day", b"lamp"] * 6), "attribute_label": LABELS}
    np.savez(path, logits=LOGITS, labels=LABELS, classes=np.array(CLASSES, "S"), **named)
    found = read_answers(path)
    assert found.attributes == {"row": ("day", "lamp") * 6, "label": ("0", "1", "2") * 4}
    assert (found.classes, found.names[:2]) == (CLASSES, ("0", "1"))


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_missing_attribute_is_unknown_and_the_index_of_pandas_is_none(tmp_path, kind):
    path, table = tmp_path / f"answers.{kind}", frame().assign(light=[None, "lamp"] * 6)[::2]
    table.to_csv(path, index=False) if kind == "csv" else table.to_parquet(path)
    assert read_answers(path).attributes == {"light": ("unknown",) * 6}


def test_a_parquet_has_one_value_a_row(tmp_path):
    path = tmp_path / "answers.parquet"
    frame().assign(logit_anger=[[1.0]] * 12).to_parquet(path)
    with pytest.raises(SignalsError, match="logit_anger holds list"):
        read_answers(path)


def test_a_file_is_read_as_its_digest_says(tmp_path):
    path = write(tmp_path, "csv")
    found = read_answers(path)
    assert (found.sha256, found.bytes) == (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_size)
