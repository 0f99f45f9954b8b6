"""The API starts without the command line, and looking at jobs starts without the API."""

import subprocess
import sys

from tests.cli.conftest import ROOT


def loaded_by(module: str) -> set[str]:
    code = f"import sys, {module}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_the_api_does_not_load_it() -> None:
    assert not [name for name in loaded_by("functions.index") if name.startswith("functions.cli")]


def test_looking_does_not_load_the_api() -> None:
    assert not {"fastapi", "functions.app"} & loaded_by("functions.cli.__main__")
