from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from catenary.runtime.config import WorkerConfig
from catenary.runtime.cores import cores_of, cores_text
from catenary_provisioner.cluster.cores import cpu_bindings, engine_cores


def cpu_workers(count: int) -> list[WorkerConfig]:
    return [WorkerConfig(id=f"w{i}", models=["m"]) for i in range(count)]


@given(st.sets(st.integers(0, 127), min_size=1), st.integers(1, 16))
def test_each_worker_has_cores_and_no_core_is_left_out(cores: set[int], count: int) -> None:
    parts = [sorted(cores_of(text)) for text in cpu_bindings(cpu_workers(count), sorted(cores)).values()]
    assert len(parts) == count
    if len(cores) >= count:
        assert sorted(core for part in parts for core in part) == sorted(cores)
        assert max(map(len, parts)) - min(map(len, parts)) <= 1
    else:
        assert all(len(part) == 1 and part[0] in cores for part in parts)


def test_neighbours_are_written_as_a_range() -> None:
    assert cpu_bindings(cpu_workers(2), [0, 1, 2, 5, 6, 9]) == {"w0": "0-2", "w1": "5-6,9"}


def test_chosen_threads_are_kept_and_accelerators_get_none() -> None:
    workers = [
        WorkerConfig(id="a", models=["m"], cpu_threads="4-7"),
        WorkerConfig(id="b", models=["m"], device="0"),
        WorkerConfig(id="c", models=["m"]),
    ]
    assert cpu_bindings(workers, [0, 1]) == {"a": "4-7", "c": "0-1"}


def test_an_engines_processes_keep_off_the_cores_of_the_others() -> None:
    bindings = cpu_bindings(cpu_workers(2), [0, 1])
    assert [engine_cores(name, bindings, [0, 1]) for name in ("w0", "w1")] == ["0", "1"]


def test_an_engines_processes_may_use_cores_that_no_engine_computes_on() -> None:
    assert engine_cores("w0", {"w0": "0-1", "w1": "2"}, range(6)) == "0-1,3-5"


def test_an_engine_with_cores_that_are_not_known_or_not_there_runs_anywhere() -> None:
    assert engine_cores("w0", {"w0": "nobind", "w1": "1"}, [0, 1]) == ""
    assert engine_cores("w0", {"w0": "4-7", "w1": "1"}, [0, 1]) == ""


@given(st.frozensets(st.integers(0, 127), min_size=1))
def test_cores_read_from_their_text_are_the_same(cores: frozenset[int]) -> None:
    assert cores_of(cores_text(cores)) == cores
