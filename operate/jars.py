"""The broker's jars: fetched by jgo, and used only if their SHA-256 is the one in kafka.lock."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unittest import mock

from operate.install import ROOT, Refused, locked, trusting

ENDPOINT = (
    "org.apache.kafka:kafka_2.13:4.3.1"
    "+org.apache.kafka:kafka-tools:4.3.1"
    "+org.slf4j:slf4j-simple:1.7.36"  # Kafka speaks through slf4j 1.7, silent without a binding
)
LOCK = ROOT / "kafka.lock"
FOLDER = (ROOT / ".venv").resolve() / "kafka"
THREADS = 8  # files fetched at once


def locks() -> dict[str, str]:
    """SHA-256 by coordinate (group:artifact:version)."""
    lines = (line.split() for line in LOCK.read_text().splitlines() if not line.startswith("#"))
    return {coordinate: digest for digest, coordinate in lines}


def filename(coordinate: str) -> str:
    _, artifact, version = coordinate.split(":")
    return f"{artifact}-{version}.jar"


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def class_path() -> str:
    """The class path of exactly the locked jars, each checked; refuses a changed one."""
    wanted = locks()
    paths = {coordinate: FOLDER / filename(coordinate) for coordinate in wanted}
    with ThreadPoolExecutor(2) as pool:
        found = dict(zip(paths, pool.map(sha256, paths.values()), strict=True))
    for coordinate, digest in found.items():
        if digest != wanted[coordinate]:
            raise Refused(
                f"{paths[coordinate]} is not the file that kafka.lock names and was refused; "
                "delete it and run this again"
            )
    return ":".join(map(str, paths.values()))


def ensure(progress: Callable[[int, int], None] = lambda done, total: None) -> None:
    """Fetches the jars that are not there yet; `progress(done, total)` counts them."""
    wanted = locks()
    if all((FOLDER / filename(coordinate)).exists() for coordinate in wanted):
        return
    FOLDER.mkdir(exist_ok=True)
    with locked(FOLDER, "another run is fetching the broker; waiting for it"):
        missing = [item for item in wanted if not (FOLDER / filename(item)).exists()]
        done = len(wanted) - len(missing)
        with one_connection(), ThreadPoolExecutor(THREADS) as pool:
            for _ in pool.map(lambda item: fetch(item, wanted[item]), missing):
                done += 1
                progress(done, len(wanted))
        shutil.rmtree(FOLDER / "fetched", ignore_errors=True)


@contextlib.contextmanager
def one_connection() -> Iterator[None]:
    """jgo opens a connection a file, which costs 60 ms of processor time each; here they are kept."""
    import requests
    import truststore

    # requests would trust its own list only; the machine's store knows its proxy's certificate.
    bundle = trusting(dict(os.environ)).get("PIP_CERT")
    if sys.platform != "linux":
        truststore.inject_into_ssl()
    with requests.Session() as session:
        session.verify = bundle or True
        session.mount("https://", requests.adapters.HTTPAdapter(pool_maxsize=THREADS))
        with mock.patch.object(requests, "request", session.request):
            yield


def fetch(coordinate: str, digest: str) -> None:
    """Brings one jar into the folder, if it is the one that kafka.lock names."""
    path = resolved(coordinate)
    if sha256(path) != digest:
        raise Refused(
            f"{filename(coordinate)} as fetched is not the file that kafka.lock names and was "
            "refused; check the mirror or proxy in between"
        )
    draft = FOLDER / f"{filename(coordinate)}.part"
    shutil.copyfile(path, draft)
    draft.replace(FOLDER / filename(coordinate))


def resolved(coordinate: str) -> Path:
    import requests
    from jgo.config import GlobalSettings
    from jgo.constants import MAVEN_CENTRAL_URL
    from jgo.maven import MavenContext

    settings = GlobalSettings.load()
    context = MavenContext(
        repo_cache=FOLDER / "fetched",
        local_repos=[settings.repo_cache],
        remote_repos={**settings.repositories, "central": MAVEN_CENTRAL_URL},
        timeout=60,
    )
    group, artifact, version = coordinate.split(":")
    shutil.rmtree(FOLDER / "fetched" / group.replace(".", "/") / artifact, ignore_errors=True)
    try:
        return Path(context.project(group, artifact).at_version(version).artifact().resolve())
    except (OSError, RuntimeError, requests.RequestException) as error:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            raise Refused("the disk is full; free about 200 MB and run this again") from error
        raise Refused(
            f"the broker's jar {filename(coordinate)} is not here and could not be fetched; "
            "connect to the network (or set HTTPS_PROXY) and run this again"
        ) from error


def main() -> None:
    """Prints a new kafka.lock for ENDPOINT."""
    import jgo
    import truststore

    truststore.inject_into_ssl()
    print("# SHA-256 of each of the broker's jars; made by: python -m operate.jars > kafka.lock")
    for artifact in sorted(jgo.resolve(ENDPOINT), key=str):
        coordinate = f"{artifact.groupId}:{artifact.artifactId}:{artifact.version}"
        assert (artifact.packaging, artifact.classifier) == ("jar", ""), coordinate
        print(sha256(artifact.resolve()), coordinate)
        sys.stdout.flush()


if __name__ == "__main__":
    main()
