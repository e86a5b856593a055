"""The engines' sockets are in a folder of their worker's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from catenary_worker.engine_processes import MAX_FOLDER_BYTES, SOCKETS_VARIABLE, EngineProcesses


def names_in(folder: Path, pattern: str) -> list[str]:
    return [path.name for path in folder.glob(pattern)]


@pytest.mark.parametrize("depth", ["short", "d" * 80])
async def test_the_folder_is_short_enough_for_sockets_and_goes_with_the_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, depth: str
) -> None:
    wanted = tmp_path / depth
    wanted.mkdir()
    monkeypatch.setenv(SOCKETS_VARIABLE, str(wanted))
    processes = EngineProcesses()
    assert processes.environment() == {}
    await processes.open()
    folder = Path(processes.environment()[SOCKETS_VARIABLE])
    (folder / "socket").touch()
    assert len(str(folder)) <= MAX_FOLDER_BYTES
    await processes.close()
    assert names_in(folder.parent, folder.name) == names_in(wanted, "*") == []
