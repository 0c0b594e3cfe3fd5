"""A local Ray with two actors, one of them killed midway: every input stands in the output exactly once."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pyarrow.parquet as pq
import pytest

from models.errors import BadInput
from serving.batch.fingerprint import digest
from serving.batch.inputs import plan
from serving.batch.judge import ROOT, Options, Work, run_on_ray
from serving.batch.output import Output
from tests.conftest import drawn

if TYPE_CHECKING:
    from tests.weights_for_tests import Tiny

ray = pytest.importorskip("ray")
MEMES, SHARD, CORES = 120, 6, 3  # a core for each of two actors, and one for the reader


@pytest.fixture(scope="module")
def cluster(tiny: Tiny) -> Iterator[None]:
    """Ray with three logical cores on this machine, whose workers find the tiny weights."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SUBTEXT_WEIGHTS", str(tiny.root))
        patch.setenv("PYTHONPATH", str(ROOT))
        patch.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        ray.init(num_cpus=CORES, include_dashboard=False, log_to_driver=False, object_store_memory=100 * 1024**2)
        yield
        ray.shutdown()


@pytest.fixture
def memes(tmp_path: Path) -> Path:
    """A folder of pictures, every tenth of them broken."""
    folder = tmp_path / "memes"
    folder.mkdir()
    for number in range(MEMES):
        data = b"broken" if number % 10 == 0 else drawn((64, 48), colour=(number, 90, 140))
        (folder / f"{number:03}.png").write_bytes(data)
    return folder


def actors() -> list[psutil.Process]:
    """The processes of the actors, by the title that Ray gives them; only those of this test's own cluster."""
    processes = []
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            title = " ".join(process.cmdline())
            if title.startswith("ray::") and "Judge" in title:
                processes.append(process)
    return processes


def kill_an_actor(after: Path, killed: list[int]) -> None:
    """Once the first shard is written: the process of one of the actors, from outside and without warning."""
    until = time.monotonic() + 240
    while not list(after.glob("part-*.parquet")) and time.monotonic() < until:
        time.sleep(0.02)
    victim = actors()[0]
    victim.kill()
    killed.append(victim.pid)


def test_every_input_stands_in_the_output_once_though_an_actor_is_killed(
    cluster: None, memes: Path, tmp_path: Path
) -> None:
    shards = plan(str(memes), size=SHARD)
    output = Output(str(tmp_path / "out"))
    output.begin({"input": digest(shards)})
    killed: list[int] = []
    killer = threading.Thread(target=kill_an_actor, args=(tmp_path / "out", killed), daemon=True)
    killer.start()
    work = Work(output, Options(ocr=False), threads=1)
    finished = list(run_on_ray(shards, work, address="auto", actors=2))
    killer.join(10)
    assert len(killed) == 1, "no actor was killed: the batch was over too soon"
    assert sorted(done.number for done in finished) == list(range(MEMES // SHARD))
    assert len(output.done()) == MEMES // SHARD
    rows = [row for path in sorted((tmp_path / "out").glob("*.parquet")) for row in pq.read_table(path).to_pylist()]
    assert [row["id"] for row in rows] == [f"{number:03}.png" for number in range(MEMES)]
    assert [row["id"] for row in rows if row["status"] == "error"] == [
        f"{number:03}.png" for number in range(0, MEMES, 10)
    ]


def test_actors_that_would_starve_the_reader_are_refused(cluster: None, memes: Path, tmp_path: Path) -> None:
    work = Work(Output(str(tmp_path / "out")), Options())
    with pytest.raises(BadInput, match="at most 2"):
        next(run_on_ray(plan(str(memes)), work, address="auto", actors=CORES))
