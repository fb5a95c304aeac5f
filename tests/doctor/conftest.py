"""A doctor of each test's own."""

from pathlib import Path

import pytest

from tests.doctor.standing import Doctor


@pytest.fixture
def doctor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Doctor:
    return Doctor(tmp_path, monkeypatch, capsys)
