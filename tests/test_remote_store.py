"""Stores at an address: what one machine writes another finds, whole or not at all."""

import argparse
import io
import os
import sys
import tarfile
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fer_audit.cli.main import main
from fer_audit.cli.options import add_store
from fer_audit.errors import StoreError
from fer_audit.remote_store import open_at
from fer_audit.store_address import local_copy, store_address
from fer_audit.store_contents import artefacts, open_store

fsspec = pytest.importorskip("fsspec", reason="needs fsspec")

A, B, C = (letter * 64 for letter in "abc")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("FER_AUDIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("FER_AUDIT_STORE", raising=False)


class Cluster:
    """Machines with a copy each of the store at one address."""

    def __init__(self, address, folder, monkeypatch):
        self.address = address
        self.files, self.root = fsspec.url_to_fs(address, use_listings_cache=False)
        self._folder = folder
        self._monkeypatch = monkeypatch

    def open(self, machine):
        self._monkeypatch.setenv("FER_AUDIT_CACHE", str(self._folder / machine))
        return open_at(self.address)

    def object(self, kind, key):
        return f"{self.root}/{kind}/{key}.tar"

    def listed(self):
        return sorted(path.removeprefix(f"{self.root}/") for path in self.files.find(self.root, refresh=True))


@pytest.fixture
def memory(tmp_path, monkeypatch):
    """A store in the memory of this process."""
    cluster = Cluster(f"memory://{tmp_path.name}/store", tmp_path, monkeypatch)
    yield cluster
    if cluster.files.exists(cluster.root):
        cluster.files.rm(cluster.root, recursive=True)


@pytest.fixture(scope="module")
def server():
    """A server on this machine that speaks the protocol of S3, and its address."""
    pytest.importorskip("s3fs", reason="needs s3fs")
    moto = pytest.importorskip("moto.server", reason="needs moto and flask")
    server = moto.ThreadedMotoServer(port=0, verbose=False)
    server.start()
    yield "http://{}:{}".format(*server.get_host_and_port())
    server.stop()


@pytest.fixture
def s3(server, tmp_path, monkeypatch):
    """A store in a bucket, of which nothing but the environment says where its server is."""
    for name, value in (("ACCESS_KEY_ID", "key"), ("SECRET_ACCESS_KEY", "secret"), ("DEFAULT_REGION", "us-east-1")):
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", server)
    bucket = "bucket-" + "".join(letter if letter.isalnum() else "-" for letter in tmp_path.name.lower())[-40:]
    cluster = Cluster(f"s3://{bucket}/some/store", tmp_path, monkeypatch)
    cluster.files.mkdir(bucket)
    return cluster


@pytest.fixture(params=["memory", "s3"])
def cluster(request):
    return request.getfixturevalue(request.param)


def put(store, key=A, text="content", uses=()):
    return store.write("things", key, lambda folder: (folder / "a.txt").write_text(text), title="a thing", uses=uses)


def test_what_one_machine_writes_another_has(cluster):
    first, second = cluster.open("first"), cluster.open("second")
    assert (first.address, second.address) == (cluster.address, cluster.address)
    assert first.root != second.root
    for store in (first, second):
        assert not store.has("things", A)
        assert store.read_json("values", B) is None
    put(first, uses=[("arrays", C)])
    digest = first.write_array(np.arange(6).reshape(2, 3), title="rows")
    first.write_json("values", B, {"é": 1.5})
    assert cluster.listed() == sorted([f"arrays/{digest}.tar", f"things/{A}.tar", f"values/{B}.tar"])
    assert second.has("things", A)
    assert (second.path("things", A) / "a.txt").read_text() == "content"
    assert second.about("things", A) == first.about("things", A)
    np.testing.assert_array_equal(second.read_array(digest), np.arange(6).reshape(2, 3))
    assert second.read_json("values", B) == {"é": 1.5}
    assert not list((first.root / "tmp").iterdir()) + list((second.root / "tmp").iterdir())


def test_many_are_asked_for_at_once(cluster):
    first, second = cluster.open("first"), cluster.open("second")
    keys = [f"{number:064x}" for number in range(20)]
    for key in keys[:10]:
        put(first, key)
    put(second, keys[15])
    names = [("things", key) for key in keys] + [("absent", A)]
    there = {("things", key) for key in [*keys[:10], keys[15]]}
    assert second.has_all(names) == there
    assert first.has_all(names) == there


def test_a_large_file_comes_back(cluster):
    content = os.urandom(6 << 20)
    cluster.open("first").write("things", A, lambda folder: (folder / "weights").write_bytes(content))
    second = cluster.open("second")
    assert second.has("things", A)
    assert (second.path("things", A) / "weights").read_bytes() == content


def test_a_removed_artefact_is_gone_everywhere(cluster):
    first = cluster.open("first")
    put(first)
    first.remove("things", A)
    first.remove("things", A)
    assert cluster.listed() == []
    assert not cluster.open("second").has("things", A)
    put(first)
    assert first.has("things", A)
    assert cluster.listed() == [f"things/{A}.tar"]


def test_two_that_write_the_same_leave_a_whole_one(cluster):
    stores = [cluster.open("first"), cluster.open("second")]
    for number in range(5):
        threads = [
            threading.Thread(target=put, args=(store, f"{number:064x}", f"{n}" * 9)) for n, store in enumerate(stores)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    third = cluster.open("third")
    names = {("things", f"{number:064x}") for number in range(5)}
    assert third.has_all(names) == names
    assert third.found_damaged == []


def test_a_copy_that_was_damaged_is_fetched_again(cluster):
    store = cluster.open("first")
    (put(store) / "a.txt").write_text("c0ntent")
    assert store.has("things", A)
    assert (store.path("things", A) / "a.txt").read_text() == "content"
    assert store.found_damaged == [f"things/{A[:12]} (a thing): a.txt was truncated or altered"]


def test_what_another_machine_removed_is_sent_again(cluster):
    put(cluster.open("first"))
    cluster.open("second").remove("things", A)
    assert cluster.open("first").has("things", A)
    assert cluster.listed() == [f"things/{A}.tar"]


def test_notes_on_failures_are_kept_too(cluster):
    cluster.open("first").record_failure(A, "why é\n")
    assert cluster.files.cat_file(f"{cluster.root}/failures/{A}.txt").decode() == "why é\n"


def test_all_is_fetched_for_who_lists_or_prunes(cluster, capsys):
    put(cluster.open("first"))
    cluster.open("first").record_failure(A, "why")
    then = cluster.open("first").path("things", A).stat().st_mtime
    cluster.open("second")
    store = open_store(cluster.address)
    (found,) = artefacts(store)
    assert (found.name, found.title) == (("things", A), "a thing")
    assert found.modified == pytest.approx(then, abs=2)
    if cluster.address.startswith("memory://"):
        assert main(["store", "list", "--store", cluster.address]) == 2
        assert "would be gone with this process" in capsys.readouterr().err
        return
    assert main(["store", "list", "--store", cluster.address]) == 0
    assert "things" in capsys.readouterr().out
    assert main(["store", "verify", "--store", cluster.address]) == 0
    assert "1 of 1 artefacts are whole" in capsys.readouterr().out


def test_an_artefact_that_could_not_be_sent_is_kept_and_sent_by_the_next_run(memory, monkeypatch):
    store = memory.open("first")
    with monkeypatch.context() as patch:
        patch.setattr(type(memory.files), "put_file", refuse)
        with pytest.raises(StoreError) as caught:
            put(store)
    assert str(caught.value) == (
        f"can't write to the store {memory.address}: the line is dead; nothing finished is lost: this machine keeps "
        f"what was not sent, and the next run sends it"
    )
    assert memory.listed() == []
    assert not list((store.root / "tmp").iterdir())
    with monkeypatch.context() as patch:
        patch.setattr(type(memory.files), "put_file", refuse)
        with pytest.raises(StoreError, match="the line is dead"):
            memory.open("first").has("things", A)
    memory.open("first")
    assert memory.listed() == [f"things/{A}.tar"]
    assert not list((store.root / "unsent").rglob("*.*"))
    assert memory.open("second").has("things", A)


def test_nobody_sends_what_another_process_is_sending(memory):
    store = memory.open("first")
    put(store)
    memory.files.rm_file(memory.object("things", A))
    (store.root / "unsent" / "things" / A).touch()
    with store.claim("unsent-things", A, wait=False):
        memory.open("first")
        assert memory.listed() == []
    memory.open("first")
    assert memory.listed() == [f"things/{A}.tar"]


def refuse(*_, **__):
    raise RuntimeError("the line\n is dead")


def test_a_mark_without_its_artefact_is_no_trouble(memory):
    store = memory.open("first")
    (store.root / "unsent" / "things").mkdir(parents=True)
    (store.root / "unsent" / "things" / A).touch()
    assert not memory.open("first").has("things", A)


def test_a_remote_that_does_not_answer_is_one_sentence(memory, monkeypatch):
    store = memory.open("first")
    for name in ("ls", "get_file", "rm_file"):
        monkeypatch.setattr(type(memory.files), name, refuse)
    for attempt in (store.has, store.read_json, store.remove):
        with pytest.raises(StoreError, match=f"the store {memory.address}: the line is dead; "):
            attempt("things", A)
    with pytest.raises(StoreError, match="can't list the store"):
        store.has_all([("things", A)])


def forged(name, **fields):
    """An archive with the file `a.txt` and a member that no artefact has."""

    def alter(content):
        out = io.BytesIO(content)
        with tarfile.open(fileobj=out, mode="a:") as tar:
            member = tarfile.TarInfo(name)
            for field, value in fields.items():
                setattr(member, field, value)
            tar.addfile(member, io.BytesIO(b"x" * member.size))
        return out.getvalue()

    return alter


@pytest.mark.parametrize(
    "alter",
    [
        lambda content: b"",
        lambda content: content[:700],
        lambda content: content[:-9000],
        lambda content: b"not an archive",
        lambda content: content.replace(b"content", b"c0ntent"),
        lambda content: content.replace(b"a.txt", b"b.txt"),
        forged("../outside", size=3),
        forged("/outside-of-the-store", size=3),
        forged("sub/file", size=3),
        forged("a.txt", size=3),
        forged("more.txt", size=3),
        forged("..", type=tarfile.DIRTYPE),
        forged("link", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
        forged("hard", type=tarfile.LNKTYPE, linkname="a.txt"),
        forged("pipe", type=tarfile.FIFOTYPE),
        forged(f"{A}.tar", size=3),
    ],
)
def test_a_damaged_object_is_kept_for_a_look_and_made_again(memory, alter, tmp_path):
    put(memory.open("first"))
    content = memory.files.cat_file(memory.object("things", A))
    memory.files.pipe_file(memory.object("things", A), alter(content))
    second = memory.open("second")
    before = set(tmp_path.rglob("*outside*"))
    assert not second.has("things", A)
    assert second.read_json("things", A) is None
    assert len(second.found_damaged) == 1
    assert second.found_damaged[0].startswith(f"things/{A[:12]}")
    assert len(list((second.root / "damaged").iterdir())) == 1
    assert set(tmp_path.rglob("*outside*")) == before
    assert not Path("/outside-of-the-store").exists()
    put(second)
    assert memory.open("third").has("things", A)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_byte_of_an_object_is_altered_no_other_value_comes_of_it(memory, data):
    first = memory.open("first")
    if not first.has("values", A):
        first.write_json("values", A, {"accuracy": 0.75}, title="t")
    place = memory.object("values", A)
    content = bytearray(memory.files.cat_file(place))
    whole = bytes(content)
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    memory.files.pipe_file(place, bytes(content))
    second = memory.open(data.draw(st.uuids()).hex)
    assert second.read_json("values", A) in (None, {"accuracy": 0.75})
    memory.files.pipe_file(place, whole)


@pytest.mark.parametrize(
    ("address", "said"),
    [
        (
            "nope://bucket/store",
            "can't open the store nope://bucket/store: Protocol not known: nope; expected a folder",
        ),
        ("gs://bucket/store", "the store gs://bucket/store needs a package that is not installed: pip install gcsfs"),
        ("sftp://host/store", "needs a package that is not installed: SFTPFileSystem requires"),
    ],
)
def test_an_address_that_can_not_be_opened_is_one_sentence(address, said, tmp_path, capsys):
    with pytest.raises(StoreError) as caught:
        open_at(address)
    assert said in str(caught.value)
    assert main(["store", "list", "--store", address]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("address", "package"), [("s3://bucket/store", "s3fs"), ("memory://store", "fsspec")])
def test_without_fsspec_the_package_to_install_is_named(address, package, monkeypatch):
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(StoreError, match=f"needs a package that is not installed: pip install {package}$"):
        open_at(address)


def test_a_bucket_that_is_not_there_is_one_sentence_and_not_made(s3):
    store = open_at("s3://some-other-bucket/store")
    assert not store.has("things", A)
    with pytest.raises(
        StoreError, match=r"can't write to the store s3://some-other-bucket/store: .*bucket does not exist"
    ):
        put(store)
    assert not s3.files.exists("some-other-bucket")


@pytest.mark.parametrize("prefix", ["", "file://", "local://"])
def test_a_folder_is_opened_as_such(prefix, tmp_path):
    store = open_at(f"{prefix}{tmp_path}/my störe")
    assert store.root == tmp_path / "my störe"
    assert store.address == str(store.root)
    assert open_at(store.root).root == open_at(store.address).root == store.root


def test_what_a_user_gave_stays_a_path_or_an_address():
    assert store_address(".fer-audit") == Path(".fer-audit")
    assert store_address("file:///a/b") == Path("/a/b")
    assert store_address("s3://bucket/folder") == "s3://bucket/folder"


def test_each_address_has_a_copy_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setenv("FER_AUDIT_CACHE", str(tmp_path / "own"))
    assert local_copy("s3://a/b") == local_copy("s3://a/b/")
    assert local_copy("s3://a/b") != local_copy("s3://a/c")
    assert local_copy("s3://a/b").is_relative_to(tmp_path / "own")
    monkeypatch.delenv("FER_AUDIT_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "shared"))
    assert local_copy("s3://a/b").is_relative_to(tmp_path / "shared" / "fer-audit")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert local_copy("s3://a/b").is_relative_to(tmp_path / ".cache" / "fer-audit")


@pytest.mark.parametrize(
    ("words", "store"),
    [
        ([], Path(".fer-audit")),
        (["--store", "my store"], Path("my store")),
        (["--store", "s3://bucket/folder"], "s3://bucket/folder"),
    ],
)
def test_every_command_takes_an_address(words, store):
    parser = argparse.ArgumentParser()
    add_store(parser)
    assert parser.parse_args(words).store == store


def test_the_environment_may_name_an_address(monkeypatch):
    monkeypatch.setenv("FER_AUDIT_STORE", "s3://bucket/folder")
    parser = argparse.ArgumentParser()
    add_store(parser)
    assert parser.parse_args([]).store == "s3://bucket/folder"
