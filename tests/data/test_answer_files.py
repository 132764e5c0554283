"""Answers without a model, from every format."""

import zipfile

import numpy as np
import pandas as pd
import pytest

from fer_audit.data import answer_files
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
        ("", "expected logit_<class>"),
        ("label,logit_a\na,1\n", "two classes or more"),
        ("label,logit_a,logit_b\n", "received 0"),
        ("logit_a,logit_b\n1,2\n", "no column 'label'"),
        ("lable,logit_a,logit_b\na,1,2\n", "did you mean 'lable'"),
        ("label,logit_a,logit_b\nc,1,2\n", "row 1: label 'c' is none of the classes a, b"),
        ("label,logit_a,logit_b\n7,1,2\n", "label '7'"),
        ("label,logit_a,logit_b\na,1\n", "line 2: expected 3 values"),
        ("label,logit_a,logit_b\na,1,two\n", "row 1 below the header: logit_b must be a number, received 'two'"),
        ("label,logit_a,logit_b\na,1,nan\n", "1 of 1 rows have answers that are NaN"),
        ("label,logit_a,logit_b\na,1,inf\n", "NaN or infinite"),
        ("label,logit_a,logit_a\na,1,2\n", "'logit_a' twice"),
        ("label,logit_happy,logit_happiness\nhappy,1,2\n", "are one"),
        ("label,logit_a,logit_b,probability_a,probability_b\na,1,2,.5,.5\n", "received both"),
        ("label,probability_a,probability_b\na,.5,.6\n", "row 1: probabilities must be 0 or more and sum to 1"),
        ("label,probability_a,probability_b\na,1.5,-.5\n", "row 1: probabilities"),
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
    monkeypatch.setattr(answer_files, "_MOST_BYTES", 1 << 20)
    path = tmp_path / "answers.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("logits.npy", bytes(4 << 20))
    assert path.stat().st_size < 10_000
    with pytest.raises(SignalsError, match="would take 4,194,304 bytes in memory"):
        read_answers(path)
