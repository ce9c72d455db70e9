"""The first run and the state folder: what goes wrong gives one sentence, what was half done is mended."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from operate import checks, cli, databases, install, issuer, jars, processes, topics
from operate.external import External
from operate.install import ROOT, Refused
from operate.places import LAYOUT, REPLICAS, SERVICES, Places, kafka_ports, plain
from operate.stack import Stack


@pytest.fixture
def places(tmp_path: Path) -> Iterator[Places]:
    found = Places(tmp_path / "state")
    found.make()
    yield found
    Stack(found.state).remove()


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with nothing installed."""
    (tmp_path / "requirements").mkdir()
    for name in ("base.txt", "test.txt"):
        (tmp_path / "requirements" / name).write_text("typer==1 --hash=sha256:00\n")
    monkeypatch.setattr(install, "ROOT", tmp_path)
    return tmp_path


class Installed:
    """Stands in for venv and pip."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root, self.made, self.runs = root, 0, 0
        self.fail = False
        monkeypatch.setattr(install, "create", self.create)
        monkeypatch.setattr(install, "pip", self.pip)

    def create(self, folder: Path) -> None:
        self.made += 1
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "bin").mkdir(parents=True)
        (folder / "bin" / "python").symlink_to(sys.executable)

    def pip(self, part: str, python: Path) -> None:
        self.runs += 1
        if self.fail:
            raise KeyboardInterrupt


def test_an_install_happens_once(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed = Installed(checkout, monkeypatch)
    install.make()
    install.make()
    assert (installed.made, installed.runs) == (1, 1)


def test_a_changed_lock_is_installed_over_the_old(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = Installed(checkout, monkeypatch)
    install.make()
    (checkout / "requirements" / "base.txt").write_text("typer==2 --hash=sha256:00\n")
    install.make()
    assert (installed.made, installed.runs) == (1, 2)


def test_an_interrupted_install_is_made_anew(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = Installed(checkout, monkeypatch)
    installed.fail = True
    with pytest.raises(KeyboardInterrupt):
        install.make()
    assert not install.ready()
    installed.fail = False
    install.make()
    assert (installed.made, installed.runs) == (2, 2)
    assert install.ready()


def test_two_first_runs_at_once_install_once(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = Installed(checkout, monkeypatch)
    runs = [threading.Thread(target=install.make) for _ in range(4)]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert (installed.made, installed.runs) == (1, 1)


def test_a_full_disk_is_said_before_anything_is_made(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Installed(checkout, monkeypatch)
    usage = shutil.disk_usage(checkout)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(Refused, match="there is no room; free 900 MB"):
        install.make()


def test_a_python_without_venv_is_told_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", shutil.which("false"))
    with pytest.raises(Refused, match="python3-venv"):
        install.create(tmp_path / ".venv")


@pytest.mark.parametrize("found", ["nothing", "too old"])
def test_the_script_asks_for_a_newer_python(tmp_path: Path, found: str) -> None:
    for name in ("dirname", "readlink"):
        (tmp_path / name).symlink_to(shutil.which(name) or "")
    if found == "too old":
        (tmp_path / "python3").write_text("#!/bin/sh\nexit 1\n")
        (tmp_path / "python3").chmod(0o755)
    copy = tmp_path / "a copy"
    copy.mkdir()
    shutil.copy(ROOT / "tsunagu", copy)
    done = subprocess.run(
        [copy / "tsunagu", "status"], env={"PATH": str(tmp_path)}, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stderr == (
        "tsunagu: no Python 3.11 or newer was found; "
        "install one so that 'python3' starts it, then run this again.\n"
    )


def test_the_script_may_be_called_by_a_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(ROOT / "tsunagu")
    done = subprocess.run(
        [tmp_path / "link", "--state", tmp_path / "state", "status"], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (1, "not running\n")


def test_what_was_compiled_once_is_kept_whatever_the_environment_says(tmp_path: Path) -> None:
    kept = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPYCACHEPREFIX": str(tmp_path / "kept")}
    subprocess.run(
        [ROOT / "tsunagu", "--state", tmp_path / "state", "status"],
        env={**os.environ, **kept}, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    assert list((tmp_path / "kept").rglob("operate/cli.*.pyc"))


@pytest.mark.parametrize("name", ["PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"])
def test_whom_the_user_trusts_pip_trusts(tmp_path: Path, name: str) -> None:
    bundle = tmp_path / "own.pem"
    bundle.touch()
    assert install.trusting({name: str(bundle)})["PIP_CERT"] == str(bundle)


@pytest.mark.parametrize(
    ("output", "sentence"),
    [
        ("OSError: [Errno 28] No space left on device", "the disk is full"),
        ("SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED]'))", "PIP_CERT"),
        ("ProxyError('Cannot connect to proxy.')", "HTTPS_PROXY"),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM", "differs from its locked hash"),
        ("something else", "install.log"),
    ],
)
def test_a_failed_install_says_why(output: str, sentence: str) -> None:
    assert sentence in install.explained(output)
    assert "\n" not in install.explained(output)


@pytest.mark.parametrize("name", ["base", "test"])
def test_locks_pin_and_hash_everything_and_name_no_address(name: str) -> None:
    text = (ROOT / "requirements" / f"{name}.txt").read_text()
    assert "://" not in text
    for entry in re.split(r"\n(?=[a-z0-9])", text.strip()):
        assert re.match(r"[a-z0-9][a-z0-9._-]*(\[[a-z,]+\])?==\S+", entry), entry
        assert "--hash=sha256:" in entry, entry


def test_the_broker_is_locked_jar_by_jar() -> None:
    locks = jars.locks()
    assert "://" not in jars.LOCK.read_text()
    assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in locks.values())
    for coordinate in jars.ENDPOINT.split("+"):
        assert coordinate in locks


@pytest.fixture
def jar_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    lock = tmp_path / "kafka.lock"
    lock.write_text(f"{'0' * 64} org.example:one:1\n")
    monkeypatch.setattr(jars, "LOCK", lock)
    monkeypatch.setattr(jars, "FOLDER", tmp_path / "jars")
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path / "jars"


def test_a_changed_jar_is_refused(jar_folder: Path) -> None:
    jar_folder.mkdir()
    (jar_folder / "one-1.jar").write_text("not the one")
    with pytest.raises(Refused, match=r"one-1\.jar is not the file that kafka\.lock names"):
        jars.class_path()


def test_a_missing_jar_without_a_network_is_one_sentence(
    jar_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    with pytest.raises(Refused, match=r"one-1\.jar is not here and could not be fetched"):
        jars.ensure()


def test_another_jar_than_the_locked_one_is_not_taken_from_the_machine(
    jar_folder: Path, tmp_path: Path
) -> None:
    known = tmp_path / ".m2" / "repository" / "org" / "example" / "one" / "1"
    known.mkdir(parents=True)
    (known / "one-1.jar").write_text("not the one")
    with pytest.raises(Refused, match=r"one-1\.jar as fetched is not the file"):
        jars.ensure()
    assert not (jar_folder / "one-1.jar").exists()


def test_secrets_are_made_once_and_are_private(places: Places) -> None:
    first = places.secrets
    assert Places(places.state).secrets == first
    mode = (places.state / "secrets.json").stat().st_mode
    assert stat.S_IMODE(mode) == 0o600
    assert len(set(first["index"].values())) == len(SERVICES)


def test_a_state_folder_of_a_newer_version_is_refused(places: Places) -> None:
    (places.state / "layout").write_text(f"{LAYOUT + 1}\n")
    with pytest.raises(Refused, match="written by a newer tsunagu"):
        Stack(places.state)
    (places.state / "layout").write_text(f"{LAYOUT}\n")
    Stack(places.state)


def test_a_state_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Refused, match="cannot be written to; choose another --state"):
        Places(tmp_path / "file" / "state").make()


def test_sockets_stay_short_and_private_in_a_long_path(tmp_path: Path) -> None:
    found = Places(tmp_path / ("長い" * 20) / "with spaces")
    found.make()
    try:
        assert plain(found.sockets)
        assert stat.S_IMODE(found.sockets.stat().st_mode) == 0o700
        assert Places(found.state).sockets == found.sockets
    finally:
        found.sockets.rmdir()


def test_ports_are_those_of_the_contract(places: Places) -> None:
    stack = Stack(places.state, 9000)
    served = {name: int(stack.listens(name)["HTTP_PORT"]) for name in ("console", *SERVICES)}
    assert served == {
        "console": 9000, "intake": 9001, "referral": 9002, "meetings": 9003, "metrics": 9004,
        "views": 9005,
    }  # fmt: skip
    assert kafka_ports(9000, 3)[2] == {"SERVICES": 9012, "AGENCIES": 9022, "CONTROLLERS": 9032}


def test_replicas_have_names_and_ports_of_their_own_in_the_block(places: Places) -> None:
    stack = Stack(places.state, 9000)
    assert stack.names(["intake"], 3) == ["intake", "intake-2", "intake-3"]
    given = {name: stack.env(name) for name in stack.names(list(SERVICES), REPLICAS)}
    assert given["views-2"]["HTTP_PORT"] == "9017"
    assert given["views-2"]["SERVICE"] == "views"
    assert stack.http("intake-3") == "http://127.0.0.1:9023"
    taken = [int(one["HTTP_PORT"]) for one in given.values()]
    taken += [9000, *(port for broker in kafka_ports(9000, 3) for port in broker.values())]
    assert len(set(taken)) == len(taken)
    assert set(taken) <= set(range(9000, 9040))
    assert len({one["KAFKA_INSTANCE"] for one in given.values()}) == len(given)


@pytest.mark.parametrize("name", ["intake-1", "intake-5", "console-2", "kafka-1", "nobody"])
def test_what_is_no_replica_is_refused(places: Places, name: str) -> None:
    with pytest.raises(Refused, match=f"there is no service '{name}'"):
        Stack(places.state, 9000).env(name)


def test_metrics_cannot_open_texts_and_names(places: Places) -> None:
    stack = Stack(places.state, 9000)
    assert "KEYRING_MASTER_KEY" not in stack.env("metrics")
    assert all("KEYRING_MASTER_KEY" in stack.env(name) for name in SERVICES if name != "metrics")


def test_a_used_port_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(Refused, match=f"port {port} is in use; .* another --base-port"):
            processes.check_free([port])


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["sleep", "60"], start_new_session=True)
    yield process
    process.kill()
    process.wait()


def test_only_the_process_that_was_recorded_is_ended(
    places: Places, sleeper: subprocess.Popen[bytes]
) -> None:
    record = {"pid": sleeper.pid, "started": psutil.Process(sleeper.pid).create_time() - 100}
    (places.run / "other.pid").write_text(json.dumps(record))
    assert processes.end(places.run, ["other"]) == []
    assert sleeper.poll() is None
    processes.write(places.run, "mine", sleeper.pid)
    assert processes.end(places.run, ["mine"]) == ["mine"]
    assert sleeper.poll() is not None


def test_a_process_that_stands_still_is_ended_too(
    places: Places, sleeper: subprocess.Popen[bytes]
) -> None:
    processes.write(places.run, "mine", sleeper.pid)
    sleeper.send_signal(signal.SIGSTOP)
    began = time.monotonic()
    assert processes.end(places.run, ["mine"]) == ["mine"]
    assert time.monotonic() - began < 5


def test_a_token_is_verified_by_the_public_keys(places: Places) -> None:
    token = issuer.token(places.state, "shakyo", ["agency_worker"], "sato")
    _, public = issuer.keys(places.state)
    keys = KeySet.import_key_set(json.loads(public.read_text()))
    claims = jwt.decode(token, keys, algorithms=["ES256"]).claims
    assert claims["agency"] == "shakyo"
    assert claims["roles"] == ["agency_worker"]
    assert (claims["sub"], claims["aud"]) == ("sato", "tsunagu")
    assert claims["exp"] - claims["iat"] == 8 * 3600
    assert "d" not in json.loads(public.read_text())["keys"][0]


def test_an_agency_is_declared_its_own_topic_and_nothing_else() -> None:
    wanted = topics.for_agencies({"shakyo": ("agency-shakyo", "secret")})
    assert set(wanted.topics) == {"view.shakyo"}
    assert {topics.said(right) for right in wanted.rights} == {
        "agency-shakyo read topic view.shakyo",
        "agency-shakyo describe topic view.shakyo",
        "agency-shakyo read group shakyo.*",
    }


def test_a_service_writes_to_its_own_topic_only() -> None:
    wanted = topics.for_services(dict.fromkeys(SERVICES, "secret"))
    said = {topics.said(right) for right in wanted.rights}
    writes = {line for line in said if line.startswith("referral write")}
    assert writes == {"referral write topic referral", "referral write topic heartbeats"}
    assert "views write topic view.*" in said
    assert {wanted.topics[name].partitions for name in SERVICES} == {12}


def test_external_servers_need_their_settings() -> None:
    with pytest.raises(Refused, match="--external needs KAFKA_USERNAME, KAFKA_PASSWORD in"):
        External.read({"KAFKA_BOOTSTRAP": "a:1", "DATABASE_URL": "postgresql://h/d"})


def test_external_urls_keep_what_is_not_changed() -> None:
    given = "postgresql://admin:a%20b@db.example:5433/postgres?sslmode=require"
    external = External("k:1", "k:1", "admin", "secret", "SCRAM-SHA-512", "SASL_SSL", given)
    assert external.url("intake") == given.replace("/postgres?", "/intake?")
    assert external.url("keyring", "intake", "p/w") == (
        "postgresql://intake:p%2Fw@db.example:5433/keyring?sslmode=require"
    )


@pytest.mark.parametrize(
    ("words", "front", "rest"),
    [
        (["status", "--state", "x"], ["--state", "x"], ["status"]),
        (["up", "--base-port=9000", "--detach"], ["--base-port=9000"], ["up", "--detach"]),
        (["run", "--", "--state"], [], ["run", "--", "--state"]),
    ],
)
def test_global_options_may_stand_anywhere(
    words: list[str], front: list[str], rest: list[str]
) -> None:
    assert cli.hoisted(words) == (front, rest)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["run", "nothing"], "there is no service 'nothing'; there are intake, referral, "),
        (["test", "nothing"], "there is no part 'nothing'; there are lint, unit, "),
        (
            ["agency", "credentials", "shakyo"],
            "nothing is running here; start it with ./tsunagu up",
        ),
        (["topics", "apply"], "nothing is running here; start it with ./tsunagu up"),
        (["run", "intake"], "nothing is running here; start it with ./tsunagu up"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    tmp_path: Path, words: list[str], sentence: str
) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    done = subprocess.run(
        [ROOT / "tsunagu", "--state", tmp_path / "state", *words],
        capture_output=True, text=True, env=environment,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith(f"tsunagu: {sentence}")
    assert done.stderr.count("\n") == 1


def test_checks_are_there_for_every_part() -> None:
    assert {"ruff check", "ruff format", "mypy", "import rules"} <= set(checks.lint())


@pytest.mark.parametrize("database", databases.OWNERS)
def test_each_migration_of_a_database_has_a_number_of_its_own(database: str) -> None:
    """Those of all services and those of one are told apart by their number alone."""
    files = [path.name for folder in databases.folders(database) for path in folder.glob("*_*.sql")]
    numbers = [name.split("_")[0] for name in files]
    assert len(numbers) == len(set(numbers)), sorted(files)
