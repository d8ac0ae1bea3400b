"""Java and Kafka's jars: found, or fetched once into the user's cache directory."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from platformdirs import user_cache_path

from orchestration.errors import MissingProgramError

POM = Path(__file__).with_name("pom.xml")

JAVA_VERSION = 17
"""Kafka 4 brokers are compiled for Java 17."""

MAVEN_PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.9.0:copy-dependencies"
"""Named in full, so that a machine whose Maven brings an older plugin fetches the same way."""

FETCH_TIMEOUT_S = 600.0
"""46 jars, 44 MB: seconds on most lines, minutes on a slow one."""

INSTALL_HINT = (
    "install it with `sudo apt-get install {packages}` (Debian, Ubuntu), name an existing broker by "
    "COILWATCH_KAFKA__BOOTSTRAP_SERVERS, or go without servers by --in-process"
)


def find_java() -> Path:
    """The `java` program of `JAVA_HOME`, else of the path.

    Raises:
        MissingProgramError: there is none, or it is older than Java 17.
    """
    java = _program("java", "JAVA_HOME")
    if java is None:
        hint = INSTALL_HINT.format(packages="openjdk-17-jre-headless")
        raise MissingProgramError(f"Kafka needs Java {JAVA_VERSION} or newer, found none: {hint}")
    answer = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    version = re.search(r'version "(?:1\.)?(\d+)', answer)
    if version is None or int(version[1]) < JAVA_VERSION:
        came = f"Java {version[1]}" if version else (answer.strip().splitlines() or ["no version"])[0]
        hint = INSTALL_HINT.format(packages="openjdk-17-jre-headless")
        raise MissingProgramError(f"Kafka needs Java {JAVA_VERSION} or newer, {java} is {came}: {hint}")
    return java


def jar_directory() -> Path:
    """Where the jars of this `pom.xml` belong; another `pom.xml` gets another directory."""
    digest = hashlib.blake2b(POM.read_bytes(), digest_size=6).hexdigest()
    return user_cache_path("coilwatch") / f"kafka-{digest}"


def ensure_jars() -> Path:
    """The directory of Kafka's jars, fetched by Maven when it is not there yet.

    Raises:
        MissingProgramError: the jars are not there and Maven is not installed or cannot fetch them.
    """
    directory = jar_directory()
    if directory.is_dir():
        return directory
    maven = _program("mvn", "MAVEN_HOME")
    if maven is None:
        hint = INSTALL_HINT.format(packages="maven")
        raise MissingProgramError(f"Kafka's jars are not in {directory} and Maven is not installed: {hint}")
    directory.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=directory.parent, prefix="kafka-fetch-") as scratch:
        jars = Path(scratch) / "jars"
        _fetch(maven, jars, Path(scratch) / "pom.xml")
        try:
            jars.rename(directory)
        except OSError:
            # Another process was faster; what it renamed is as whole as ours.
            if not directory.is_dir():
                raise
    return directory


def _fetch(maven: Path, jars: Path, pom: Path) -> None:
    # Maven writes a target folder beside the pom, and the package's own folder may be read-only.
    shutil.copyfile(POM, pom)
    command: list[str | Path] = [maven, "-q", "-B", "-f", pom, MAVEN_PLUGIN, f"-DoutputDirectory={jars}"]
    try:
        answer = subprocess.run(
            command, capture_output=True, text=True, timeout=FETCH_TIMEOUT_S, check=False, cwd=pom.parent
        )
    except subprocess.TimeoutExpired:
        raise MissingProgramError(
            f"Maven did not fetch Kafka's jars within {FETCH_TIMEOUT_S:.0f} s"
        ) from None
    if answer.returncode != 0 or not any(jars.glob("kafka_*.jar")):
        problem = "\n".join((answer.stdout + answer.stderr).strip().splitlines()[-5:])
        raise MissingProgramError(f"Maven could not fetch Kafka's jars:\n{problem}")


def _program(name: str, home_variable: str) -> Path | None:
    home = os.environ.get(home_variable)
    if home and (Path(home) / "bin" / name).is_file():
        return Path(home) / "bin" / name
    found = shutil.which(name)
    return Path(found) if found else None
