from pathlib import Path

import pytest

from sidecar.telemetry.process import ProcessReader

PROC = Path(__file__).parent / "proc"


def values(reader: ProcessReader) -> dict[str, float]:
    return {update.family.name: update.value for update in reader.updates()}


def test_a_process_is_read():
    """Each number stands in the words and units of Prometheus' client libraries, whatever the process is called."""
    reader = ProcessReader(PROC, "26231", ticks_per_second=100, page_size=4096)

    assert values(reader) == {
        "process_cpu_seconds_total": 17.21,
        "process_virtual_memory_bytes": 56274944.0,
        "process_resident_memory_bytes": 8114176.0,
        "process_start_time_seconds": 1418184099.75,
        "process_open_fds": 5.0,
        "process_max_fds": 2048.0,
    }


def test_the_processor_s_time_is_told_once():
    """A counter's updates are what was added."""
    reader = ProcessReader(PROC, "26231", ticks_per_second=100, page_size=4096)
    reader.updates()

    assert values(reader)["process_cpu_seconds_total"] == 0


def test_what_cannot_be_read_is_absent(tmp_path):
    """Without /proc there are no numbers, and no error."""
    assert values(ProcessReader(tmp_path)) == {}


def test_a_part_that_cannot_be_read_is_absent(tmp_path):
    """One missing file costs its own numbers alone."""
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "limits").write_text(
        "Max open files            unlimited            unlimited            files\n"
    )

    assert values(ProcessReader(tmp_path, "1")) == {"process_max_fds": float("inf")}


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="this machine has no /proc")
def test_our_own_process_has_all_numbers():
    """Where there is a /proc, nothing is missing."""
    assert len(values(ProcessReader())) == 6
