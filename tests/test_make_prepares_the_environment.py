"""`make` on a fresh machine: it finds a Python, says what is missing, and installs once."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
REQUIREMENTS = ("requirements.txt", "requirements-dev.txt")
TOOLS = ("make", "sh", "awk", "cat", "cmp", "env")

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The Makefile and its requirements, with a PATH of its own under bin/."""
    for name in ("Makefile", *REQUIREMENTS):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "bin").mkdir()
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found is not None, tool
        (tmp_path / "bin" / tool).symlink_to(found)
    return tmp_path


def make(checkout: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [str(checkout / "bin" / "make"), *arguments],
        cwd=checkout,
        env={"PATH": str(checkout / "bin")},
        capture_output=True,
        text=True,
    )


def program(path: Path, script: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!{shutil.which('sh')}\n{script}\n")
    path.chmod(0o755)


def test_make_alone_lists_the_commands(checkout: Path) -> None:
    listed = make(checkout)
    assert listed.returncode == 0
    for command in ("dev", "test", "check", "bench", "clean"):
        assert f"make {command} " in listed.stdout


def test_a_python_that_is_too_old_is_named(checkout: Path) -> None:
    program(checkout / "bin" / "python3", 'echo "Python 3.9.2"; [ "$1" = --version ]')
    refused = make(checkout, "test")
    assert refused.returncode != 0
    assert "Recado needs Python 3.11, 3.12, 3.13 or 3.14" in refused.stderr
    assert "Python 3.9.2" in refused.stderr
    assert "make PYTHON=" in refused.stderr


def test_a_python_without_venv_is_told_what_to_install(checkout: Path) -> None:
    program(
        checkout / "bin" / "python3",
        'case "$*" in *ensurepip*) exit 1;; --version) echo "Python 3.11.2";; esac',
    )
    refused = make(checkout, "dev")
    assert refused.returncode != 0
    assert "apt install python3-venv" in refused.stderr
    assert not (checkout / ".venv").exists()


def test_the_requirements_are_installed_when_they_change_and_only_then(checkout: Path) -> None:
    log = checkout / "log"
    program(checkout / ".venv" / "bin" / "python", f'echo "$*" >> {log}')
    program(checkout / "bin" / "python3", "exit 0")

    assert make(checkout, "test").returncode == 0
    assert make(checkout, "test", "ARGS=-k queue").returncode == 0
    calls = [line for line in log.read_text().splitlines() if line.startswith("-m")]
    assert calls == [
        "-m pip install --quiet --disable-pip-version-check -r requirements-dev.txt",
        "-m pytest",
        "-m pytest -k queue",
    ]

    (checkout / REQUIREMENTS[0]).write_text("# another\n")
    assert make(checkout, "test").returncode == 0
    assert log.read_text().count("pip install") == 2


def test_an_installation_that_fails_is_repeated(checkout: Path) -> None:
    program(checkout / "bin" / "python3", "exit 0")
    program(checkout / ".venv" / "bin" / "python", '[ "$2" != pip ]')
    assert make(checkout, "test").returncode != 0
    assert not (checkout / ".venv" / "installed").exists()
