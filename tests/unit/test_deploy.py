"""What runs in containers is what runs here: the same broker, and the same parts."""

import os
import subprocess
from pathlib import Path

import yaml

from operate.install import ROOT
from operate.kafka import SMALL, Kafka
from operate.places import SERVICES, Places

PLACE = {"log.dirs", "listeners", "advertised.listeners", "controller.quorum.bootstrap.servers"}
START = """#!/bin/sh
cat "$1"
"""


def test_the_brokers_settings_are_those_of_the_embedded_one(tmp_path: Path) -> None:
    """Where it listens and keeps its data may differ, and how much of the machine it may take."""
    state, home = tmp_path / "state", tmp_path / "kafka"
    places = Places(state)
    places.make()
    password = "pass=word"
    places.secrets["kafka"].update(admin=password, broker=password)
    home.joinpath("bin").mkdir(parents=True)
    for name, does in (("kafka-storage.sh", "#!/bin/sh\n"), ("kafka-server-start.sh", START)):
        home.joinpath("bin", name).write_text(does)
        home.joinpath("bin", name).chmod(0o755)
    given = {"KAFKA_PASSWORD": password, "KAFKA_HOME": str(home), "KAFKA_DATA": str(tmp_path)}
    given["TMPDIR"] = str(tmp_path)
    ran = subprocess.run(
        ["bash", ROOT / "deploy" / "kafka.sh"], env={**os.environ, **given}, capture_output=True,
        text=True, check=True,
    )  # fmt: skip
    shipped = dict(line.split("=", 1) for line in ran.stdout.splitlines())
    embedded = Kafka(places, 8100).properties(0)
    assert shipped.keys() >= PLACE
    assert {name: shipped[name] for name in shipped.keys() - PLACE} == {
        name: embedded[name] for name in embedded.keys() - PLACE - SMALL.keys()
    }


def test_every_service_and_what_follows_the_subscriptions_runs_in_containers() -> None:
    """Without the last a login that was revoked would stay."""
    parts = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    commands = {name: part.get("command") for name, part in parts.items()}
    for name in SERVICES:
        assert commands[name] == ["run", name]
    assert commands["topics"] == ["topics", "watch"]
    assert parts["topics"]["restart"] == "unless-stopped"
    assert "state:/state" in parts["topics"]["volumes"]  # it writes there
