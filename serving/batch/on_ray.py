"""Shards on a Ray cluster: Ray Data's `map_batches` over a pool of actors that have an analyzer each.

Only a shard's address is sent; its actor reads the pictures and writes the shard's file. Ray gives the shard of a killed
actor to another one, and writing a shard again leaves the same file, so that every input is in the output exactly once.
Ray comes with requirements-ray.txt, not with the app.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.errors import BadInput, PartUnavailable
from serving.batch.local import Done, Work

if TYPE_CHECKING:
    from serving.batch.items import Shard

ROOT = Path(__file__).resolve().parents[2]
# Not copied to workers that do not share a disk or an image with this folder.
EXCLUDED = [".git", "data", "docs", "tests", "training", "benchmarks", "assets", "pages", "*.parquet", "node_modules"]


class Judge:
    """An actor. Its analyzer is loaded with the first shard."""

    def __init__(self, work: Work) -> None:
        self.work = work

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Judge the shards of a batch (one, pickled); columns with the fields of `Done`."""
        done = [asdict(self.work(pickle.loads(shard))) for shard in batch["shard"]]
        return {name: [fields[name] for fields in done] for name in ("number", "memes", "errors")}


def run(
    shards: Sequence[Shard], work: Work, *, address: str, actors: int, cpus: float = 1, gpus: float = 0
) -> Iterator[Done]:
    """Every shard once, in the order in which they finish. Raises `BadInput` if the cluster is missing or too small, and
    `PartUnavailable` if Ray is not installed.

    One core stays free for Ray Data's reader: if the actors take all of them, it never gets its turn.
    """
    try:
        import ray
    except ImportError as error:
        raise PartUnavailable("Ray is not installed: run pip install -r requirements-ray.txt.") from error
    try:
        ray.init(
            address=address,
            ignore_reinit_error=True,
            log_to_driver=False,
            # a cluster of one machine, or one that shares this folder, runs the code where it lies
            runtime_env=None if _is_local(address) else {"working_dir": str(ROOT), "excludes": EXCLUDED},
        )
    except (ConnectionError, ValueError) as error:
        raise BadInput(f"There is no Ray cluster at {address}: start one with `ray start --head`.") from error
    cores = ray.cluster_resources().get("CPU", 0)
    if actors * cpus > cores - 1:
        raise BadInput(
            f"The cluster has {cores:g} cores, and {actors} actors with {cpus:g} each would leave none for the reader: "
            f"ask for at most {max(0, int((cores - 1) // cpus))} with --workers."
        )
    ray.data.DataContext.get_current().enable_progress_bars = False
    dataset = ray.data.from_items([{"shard": pickle.dumps(shard)} for shard in shards], override_num_blocks=len(shards))
    finished = dataset.map_batches(
        Judge,
        fn_constructor_args=(work,),
        batch_size=1,
        compute=ray.data.ActorPoolStrategy(size=actors, max_tasks_in_flight_per_actor=2),
        num_cpus=cpus,
        num_gpus=gpus or None,
    )
    for row in finished.iter_rows():
        yield Done(int(row["number"]), int(row["memes"]), int(row["errors"]))


def _is_local(address: str) -> bool:
    return address in ("local", "auto") or address.startswith(("127.0.0.1", "localhost"))
