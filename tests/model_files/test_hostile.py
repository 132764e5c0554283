"""Model files of who means harm: each is refused in one sentence, nothing of it runs, and nothing is written."""

import base64
import io
import json
import marshal
import os
import pickle
import shutil
import struct
import warnings
import zipfile
from pathlib import Path

import h5py
import keras
import numpy as np
import onnx
import pytest
import tensorflow as tf
from onnx import TensorProto, helper

from fer_audit.errors import ModelFileError

SIDE = 24


def rewritten(source, target, **members):
    """A copy of a `.keras` archive with other members; `None` leaves one out."""
    with zipfile.ZipFile(source) as old:
        held = {name: old.read(name) for name in old.namelist()} | members
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        for name, content in held.items():
            if content is not None:
                new.writestr(name, content)
    return target


def config_of(path):
    with zipfile.ZipFile(path) as archive:
        return json.loads(archive.read("config.json"))


def with_layer(files, target, layer):
    """The tiny network, whose ReLU is now `layer`."""
    config = config_of(files / "tiny.keras")
    relu = next(one for one in config["config"]["layers"] if one["class_name"] == "ReLU")
    relu |= layer
    return rewritten(files / "tiny.keras", target, **{"config.json": json.dumps(config)})


def owning(tmp_path):
    """Code that leaves a file where it runs, as Keras 2 kept that of a Lambda layer."""
    code = compile(f"lambda x: (open({str(tmp_path / 'owned')!r}, 'w'), x)[1]", "", "eval").co_consts[0]
    return base64.b64encode(marshal.dumps(code)).decode()


def test_lambda_layer_in_keras_archive(tmp_path, refused):
    images = keras.Input((8, 8, 3))
    doubled = keras.layers.Lambda(lambda x: x * 2, name="doubled")(images)
    keras.Model(images, keras.layers.Flatten()(doubled)).save(tmp_path / "m.keras")
    assert "layer 'doubled' is a Lambda, which holds Python code" in refused(tmp_path / "m.keras")


def test_lambda_layer_in_hdf5(tmp_path, files, refused):
    shutil.copy(files / "tiny.h5", tmp_path / "m.h5")
    with h5py.File(tmp_path / "m.h5", "r+") as file:
        config = json.loads(file.attrs["model_config"])
        relu = next(layer for layer in config["config"]["layers"] if layer["class_name"] == "ReLU")
        relu["class_name"] = "Lambda"
        relu["config"] = {"name": "relu", "function": [owning(tmp_path), None, None], "function_type": "lambda"}
        file.attrs["model_config"] = json.dumps(config)
    assert "layer 'relu' is a Lambda" in refused(tmp_path / "m.h5")
    assert not (tmp_path / "owned").exists()


def test_marshalled_code_where_a_function_stands(tmp_path, files, refused):
    code = {"class_name": "__lambda__", "config": {"code": owning(tmp_path), "defaults": None, "closure": None}}
    layer = {"class_name": "Activation", "config": {"name": "relu", "activation": code}}
    assert "is a __lambda__" in refused(with_layer(files, tmp_path / "m.keras", layer))


@pytest.mark.parametrize(
    ("layer", "said"),
    [
        ({"class_name": "function", "config": "system", "module": "os"}, "of the module 'os'"),
        ({"class_name": "function", "config": "get_file", "module": "keras.utils"}, "of the module 'keras.utils'"),
        ({"class_name": "eval", "config": {}, "module": "builtins"}, "of the module 'builtins'"),
        ({"class_name": "Gate", "registered_name": "theirs>Gate", "module": "theirs"}, "class 'theirs>Gate'"),
        ({"class_name": "TFSMLayer", "config": {"filepath": "/elsewhere"}}, "is a TFSMLayer"),
        ({"class_name": "StringLookup", "config": {"vocabulary": "/etc/passwd"}}, "is a StringLookup"),
        ({"registered_name": "fer_audit>InputNormalization", "module": "os"}, "is of the module 'os'"),
        ({"class_name": "NoSuchLayer"}, "NoSuchLayer"),
    ],
)
def test_layers_that_are_none_of_keras(layer, said, tmp_path, files, refused):
    assert said in refused(with_layer(files, tmp_path / "m.keras", layer))


def test_zip_bomb(tmp_path, files, refused):
    bomb = rewritten(files / "tiny.keras", tmp_path / "m.keras", **{"model.weights.h5": bytes(100 << 20)})
    assert bomb.stat().st_size < 200_000
    assert "as a zip bomb does" in refused(bomb)


def test_zip_whose_directory_promises_terabytes(tmp_path, files, refused):
    content = bytearray((files / "tiny.keras").read_bytes())
    entry = content.rfind(b"PK\x01\x02")
    content[entry + 24 : entry + 28] = struct.pack("<I", 0xFFFFFFFE)
    (tmp_path / "m.keras").write_bytes(content)
    assert "unpack" in refused(tmp_path / "m.keras")


def test_bombs_in_hdf5(tmp_path, files, refused):
    shutil.copy(files / "tiny.h5", tmp_path / "m.h5")
    with h5py.File(tmp_path / "m.h5", "r+") as file:
        file["model_weights"].create_dataset("bomb", (1 << 28,), "f4", chunks=(1 << 20,), compression="gzip")
    assert "model_weights/bomb in the file unpacks" in refused(tmp_path / "m.h5")
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file.create_dataset("bomb", (1 << 40,), "f4", chunks=(1 << 20,), compression="gzip")
    weights = {"model.weights.h5": buffer.getvalue()}
    assert "is too large" in refused(rewritten(files / "tiny.keras", tmp_path / "m.keras", **weights))


def test_network_that_is_larger_than_its_file(tmp_path, files, refused):
    config = config_of(files / "tiny.keras")
    config["config"]["layers"][-1]["config"]["units"] = 10**10
    path = rewritten(files / "tiny.keras", tmp_path / "m.keras", **{"config.json": json.dumps(config)})
    assert "needs 90,000,000," in refused(path)
    with keras.StatelessScope():
        pass  # at its end the weights that this process still owes their values get them: none may be of the file


@pytest.mark.parametrize("part", [0.02, 0.3, 0.7, 0.98])
@pytest.mark.parametrize("name", ["tiny.keras", "tiny.h5", "tiny.onnx", "tiny.tflite"])
def test_truncated_file(name, part, tmp_path, files, refused):
    content = (files / name).read_bytes()
    (tmp_path / name).write_bytes(content[: int(part * len(content))])
    refused(tmp_path / name)


def test_truncated_saved_model(tmp_path, files, refused):
    shutil.copytree(files / "tiny", tmp_path / "m")
    graph = tmp_path / "m" / "saved_model.pb"
    graph.write_bytes(graph.read_bytes()[:-1000])
    refused(tmp_path / "m")


def test_wrong_number_of_classes(tmp_path, make, asked):
    make.network(classes=5).save(tmp_path / "m.keras")
    with pytest.raises(ModelFileError) as caught:
        asked(tmp_path / "m.keras")
    said = make.one_sentence(str(caught.value), "m.keras")
    assert "answers with 5 numbers an image, but the dataset has 7 classes (anger, disgust," in said


def test_answers_that_are_nan(tmp_path, asked, make):
    (tmp_path / "own.py").write_text(
        "import numpy as np\n"
        "def answer(images):\n"
        "    answers = np.zeros((len(images), 7))\n"
        "    answers[images[:, 0, 0, 0] == 0] = np.nan\n"
        "    return answers\n"
    )
    images = np.ones((7000, 8, 8, 3), np.uint8)
    images[:37] = 0
    model = asked(tmp_path / "own.py:answer", side=8)
    with pytest.raises(ModelFileError, match=r"^37 of 7,000 answers of model 'own.py:answer' are NaN;") as caught:
        model.logits(images)
    make.one_sentence(str(caught.value), "own.py")


@pytest.mark.parametrize("name", ["../../owned", "/tmp/owned", "C:\\owned", "assets\\..\\..\\owned"])  # noqa: S108
def test_names_that_lead_out_of_an_archive(name, tmp_path, files, refused):
    path = rewritten(files / "tiny.keras", tmp_path / "m.keras")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(name, "owned")
    assert "lies outside of it" in refused(path)


def test_other_members_of_an_archive(tmp_path, files, refused):
    assert "holds 'run.py'" in refused(rewritten(files / "tiny.keras", tmp_path / "m.keras", **{"run.py": "1"}))
    assert "has no config.json" in refused(
        rewritten(files / "tiny.keras", tmp_path / "n.keras", **{"config.json": None})
    )
    ours = {"config.json": None, "model.weights.h5": None}
    assert "has no config.json and no model" in refused(
        rewritten(files / "tiny.keras", tmp_path / "o.keras", **ours, **{"metadata.json": "{}"})
    )


class Writing(tf.Module):
    def __init__(self, work):
        super().__init__()
        self.weight = tf.Variable(tf.ones((3, 7)))
        self.work = work

    @tf.function(input_signature=[tf.TensorSpec((None, 8, 8, 3), tf.float32)])
    def serve(self, images):
        answers = tf.reduce_mean(images, (1, 2)) @ self.weight
        with tf.control_dependencies([self.work()]):
            return tf.identity(answers)


def conditional(work):
    """`work` in a function that only a branch calls."""
    return lambda: tf.cond(tf.random.uniform(()) < 2, lambda: (work(), tf.constant(1))[1], lambda: tf.constant(0))


WORK = {
    "ReadFile": tf.io.read_file,
    "WriteFile": lambda place: tf.io.write_file(place, "owned"),
    "MatchingFiles": tf.io.matching_files,
    "PrintV2": lambda place: tf.raw_ops.PrintV2(input="owned", output_stream=f"file://{place}"),
    "SaveV2": lambda place: tf.raw_ops.SaveV2(
        prefix=place, tensor_names=["x"], shape_and_slices=[""], tensors=[tf.ones(1)]
    ),
    "EagerPyFunc": lambda place: tf.py_function(lambda: Path(place).write_text("owned") or 1.0, [], tf.float32),
    "ImmutableConst": lambda place: tf.raw_ops.ImmutableConst(dtype=tf.uint8, shape=[4], memory_region_name=place),
    "Abort": lambda place: tf.raw_ops.Abort(error_msg="owned"),
}


@pytest.mark.parametrize("nested", [False, True], ids=["plain", "in a branch"])
@pytest.mark.parametrize("operator", WORK)
def test_saved_model_that_does_more_than_compute(operator, nested, tmp_path, refused):
    def work():
        return WORK[operator](str(tmp_path / "owned"))

    module = Writing(conditional(work) if nested else work)
    tf.saved_model.save(module, str(tmp_path / "m"), signatures=module.serve)
    assert f"is the operator {operator!r}" in refused(tmp_path / "m")
    assert not (tmp_path / "owned").exists()


def test_saved_model_that_computes_alone_is_read(tmp_path, opened):
    module = Writing(conditional(lambda: tf.constant(1)))
    tf.saved_model.save(module, str(tmp_path / "m"), signatures=module.serve)
    assert opened(tmp_path / "m").ask(np.ones((2, 8, 8, 3), np.float32)).tolist() == [[3.0] * 7] * 2


def test_trusted_saved_model_may_read(tmp_path, opened):
    (tmp_path / "there").write_text("text")
    module = Writing(lambda: tf.io.read_file(str(tmp_path / "there")))
    tf.saved_model.save(module, str(tmp_path / "m"), signatures=module.serve)
    assert opened(tmp_path / "m", trust=True).ask(np.ones((1, 8, 8, 3), np.float32)).shape == (1, 7)


def test_saved_model_with_a_second_graph_or_a_pipe(tmp_path, files, refused):
    shutil.copytree(files / "tiny", tmp_path / "m")
    (tmp_path / "m" / "saved_model.cpb").write_bytes(b"other")
    assert "saved_model.cpb" in refused(tmp_path / "m")
    (tmp_path / "m" / "saved_model.cpb").unlink()
    os.mkfifo(tmp_path / "m" / "pipe")
    assert "pipe in it is no regular file" in refused(tmp_path / "m")


def onnx_file(path, nodes, initializers=(), opsets=()):
    image = helper.make_tensor_value_info("images", TensorProto.FLOAT, [None, 3, SIDE, SIDE])
    answer = helper.make_tensor_value_info("answers", TensorProto.FLOAT, [None, 7])
    graph = helper.make_graph(nodes, "g", [image], [answer], initializer=list(initializers))
    imports = [helper.make_opsetid("", 17), *(helper.make_opsetid(domain, 1) for domain in opsets)]
    path.write_bytes(helper.make_model(graph, opset_imports=imports).SerializeToString())
    return path


@pytest.mark.parametrize("location", ["../secret.bin", "/etc/passwd", "weights/../../secret.bin", "C:\\secret.bin"])
def test_onnx_with_weights_elsewhere(location, tmp_path, refused):
    (tmp_path / "secret.bin").write_bytes(bytes(4 * 3 * SIDE * SIDE * 7))
    (tmp_path / "m").mkdir()
    weights = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[3 * SIDE * SIDE, 7])
    weights.data_location = TensorProto.EXTERNAL
    weights.external_data.add(key="location", value=location)
    nodes = [helper.make_node("Flatten", ["images"], ["f"]), helper.make_node("MatMul", ["f", "w"], ["answers"])]
    said = refused(onnx_file(tmp_path / "m" / "m.onnx", nodes, [weights]))
    assert "outside of the model's folder" in said


@pytest.mark.parametrize(("domain", "operator"), [("evil.ops", "Run"), ("com.microsoft", "EPContext")])
def test_onnx_with_operators_of_others(domain, operator, tmp_path, refused):
    node = helper.make_node(operator, ["images"], ["answers"], domain=domain, name="run")
    assert f"'{domain}.{operator}'" in refused(onnx_file(tmp_path / "m.onnx", [node], opsets=[domain]))
    branch = helper.make_graph([node], "b", [], [helper.make_tensor_value_info("answers", TensorProto.FLOAT, None)])
    choice = helper.make_node("If", ["yes"], ["answers"], then_branch=branch, else_branch=branch)
    yes = helper.make_tensor("yes", TensorProto.BOOL, [], [True])
    assert f"'{domain}.{operator}'" in refused(onnx_file(tmp_path / "n.onnx", [choice], [yes], opsets=[domain]))


def test_tflite_with_custom_operators(tmp_path, make, refused):
    class Odd(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((1, 8, 8, 3), tf.float32)])
        def serve(self, images):
            return tf.raw_ops.Asinh(x=tf.reduce_mean(images, (1, 2)))

    module = Odd()
    with make.muted():
        converter = tf.lite.TFLiteConverter.from_concrete_functions([module.serve.get_concrete_function()], module)
        converter.allow_custom_ops = True
        (tmp_path / "m.tflite").write_bytes(converter.convert())
    assert "the custom operator 'Asinh'" in refused(tmp_path / "m.tflite")


def test_links_out_of_hdf5(tmp_path, files, refused):
    for name in ("external", "soft", "storage"):
        path = tmp_path / f"{name}.h5"
        shutil.copy(files / "tiny.h5", path)
        with h5py.File(path, "r+") as file:
            if name == "external":
                file["model_weights/more"] = h5py.ExternalLink("/etc/other.h5", "/x")
            elif name == "soft":
                file["model_weights/more"] = h5py.SoftLink("/nowhere")
            else:
                file.create_dataset("more", (4,), "f4", external=[("/etc/passwd", 0, 16)])
        assert "in the file" in refused(path)


class Owning:
    def __init__(self, place):
        self.place = place

    def __reduce__(self):
        return open, (str(self.place), "w")


def test_pickled_arrays(tmp_path, make, registry, refused):
    make.training(registry, tmp_path / "ab12")
    objects = np.empty(1, object)
    objects[0] = Owning(tmp_path / "owned")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        np.savez(tmp_path / "ab12" / "weights.npz", objects)
    assert "array 'arr_0' in it holds pickled Python objects" in refused(tmp_path / "ab12" / "weights.npz")
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize("name", ["m.pt", "m.pkl", "m.keras", "m.h5"])
def test_pickled_files(name, tmp_path, refused):
    (tmp_path / name).write_bytes(pickle.dumps(Owning(tmp_path / "owned")))
    assert "export the model as ONNX" in refused(tmp_path / name)
    with zipfile.ZipFile(tmp_path / name, "w") as archive:  # as PyTorch writes them
        archive.writestr("archive/data.pkl", pickle.dumps(Owning(tmp_path / "owned")))
    assert "the file is pickled" in refused(tmp_path / name)
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize("suffix", ["keras", "h5", "onnx", "tflite", "npz", "txt"])
def test_text_and_empty_files(suffix, tmp_path, refused):
    (tmp_path / f"m.{suffix}").write_text("Dear auditor. I am no model.\n\nYours\n")
    refused(tmp_path / f"m.{suffix}")
    (tmp_path / f"e.{suffix}").touch()
    assert "the file is empty" in refused(tmp_path / f"e.{suffix}")
    assert "there is no file" in refused(tmp_path / f"n.{suffix}")


def test_empty_folder(tmp_path, refused):
    (tmp_path / "m").mkdir()
    assert "neither saved_model.pb nor weights.npz" in refused(tmp_path / "m")


def test_description_as_deep_as_it_is_long(tmp_path, files, refused):
    deep = rewritten(files / "tiny.keras", tmp_path / "m.keras", **{"config.json": "[" * 200_000})
    refused(deep)
    assert "is no JSON" in refused(rewritten(deep, tmp_path / "n.keras", **{"config.json": "{'"}))
    assert "describes no network" in refused(rewritten(deep, tmp_path / "o.keras", **{"config.json": "[1]"}))


def test_images_that_are_too_large(tmp_path, refused):
    images = keras.Input((5000, 16, 3))
    keras.Model(images, keras.layers.GlobalAveragePooling2D()(images)).save(tmp_path / "m.keras")
    assert "5000 x 16 x 3" in refused(tmp_path / "m.keras")


def test_onnx_of_no_node(tmp_path, refused):
    (tmp_path / "m.onnx").write_bytes(onnx.ModelProto().SerializeToString() or b"\x08\x08")
    assert "holds no network" in refused(tmp_path / "m.onnx")
