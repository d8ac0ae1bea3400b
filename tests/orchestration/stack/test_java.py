from __future__ import annotations

import stat
from pathlib import Path

import pytest

from orchestration.errors import MissingProgramError
from orchestration.stack import java


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An otherwise empty search path, and a cache of one's own."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.delenv("MAVEN_HOME", raising=False)
    return folder


def script(path: Path, body: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.mark.parametrize(
    "answer", ['openjdk version "17.0.15" 2025-04-15', 'java version "21"', 'openjdk version "25-ea"']
)
def test_java_17_and_newer_will_do(answer: str, programs: Path) -> None:
    program = script(programs / "java", f"echo '{answer}' >&2")
    assert java.find_java() == program


@pytest.mark.parametrize(
    ("body", "came"),
    [
        ("echo 'openjdk version \"11.0.2\"' >&2", "is Java 11"),
        ("echo 'java version \"1.8.0_402\"' >&2", "is Java 8"),
        ("echo 'cannot start' >&2; exit 1", "is cannot start"),
        ("exit 1", "is no version"),
    ],
    ids=["11", "8", "broken", "silent"],
)
def test_an_older_java_is_named(body: str, came: str, programs: Path) -> None:
    script(programs / "java", body)
    with pytest.raises(MissingProgramError, match=f"needs Java 17 or newer, .*{came}: .*--in-process"):
        java.find_java()


def test_a_missing_java_says_what_to_install(programs: Path) -> None:
    with pytest.raises(MissingProgramError, match=r"found none: .*apt-get install openjdk-17-jre-headless"):
        java.find_java()


def test_java_home_comes_first(programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script(programs / "java", "echo 'openjdk version \"11\"' >&2")
    home = script(tmp_path / "home" / "bin" / "java", "echo 'openjdk version \"17\"' >&2")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "home"))
    assert java.find_java() == home


def test_jars_are_fetched_once(programs: Path) -> None:
    fetch = 'for a in "$@"; do case $a in -DoutputDirectory=*) d=${a#*=};; esac; done; '
    script(programs / "mvn", fetch + '/bin/mkdir -p "$d"; echo jar > "$d/kafka_2.13-4.jar"')
    directory = java.ensure_jars()
    assert [path.name for path in directory.iterdir()] == ["kafka_2.13-4.jar"]
    (programs / "mvn").unlink()
    assert java.ensure_jars() == directory
    assert list(directory.parent.iterdir()) == [directory]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (None, "apt-get install maven"),
        ("echo no network; exit 1", "no network"),
        ("exit 0", "could not fetch"),
    ],
    ids=["missing", "fails", "fetches nothing"],
)
def test_jars_that_cannot_be_fetched(body: str | None, message: str, programs: Path) -> None:
    if body is not None:
        script(programs / "mvn", body)
    with pytest.raises(MissingProgramError, match=message):
        java.ensure_jars()
    assert not java.jar_directory().exists()


def test_another_pom_has_another_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = java.jar_directory()
    other = tmp_path / "pom.xml"
    other.write_text(java.POM.read_text().replace("4.3.1", "4.3.2"))
    monkeypatch.setattr(java, "POM", other)
    assert java.jar_directory() != before
