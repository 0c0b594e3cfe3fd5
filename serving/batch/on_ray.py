"""Shards on a Ray cluster: Ray Data's `map_batches` over a pool of actors, each of which holds an analyzer.

What travels is a shard's address; its actor reads the pictures and writes the shard's file itself. Ray gives the shard
of a killed actor to another one, and writing a shard again leaves the same file, so that every input stands in the
output exactly once. Ray comes with requirements-ray.txt, not with the app.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.errors import BadInput, PartUnavailable
from serving.batch.local import Done, Work

if TYPE_CHECKING:
    from serving.batch.items import Shard

ROOT = Path(__file__).resolve().parents[2]
# What workers need of this folder, where they do not share a disk or an image with it.
EXCLUDED = [".git", "data", "docs", "tests", "training", "benchmarks", "assets", "pages", "*.parquet", "node_modules"]


class Judge:
    """An actor: its analyzer is loaded at the first shard and kept."""

    def __init__(self, work: Work) -> None:
        self.work = work

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """A batch is one shard."""
        done = [self.work(pickle.loads(shard)) for shard in batch["shard"]]
        return {name: [getattr(one, name) for one in done] for name in ("number", "memes", "errors")}


def run(
    shards: Sequence[Shard], work: Work, *, address: str, actors: int, cpus: float = 1, gpus: float = 0
) -> Iterator[Done]:
    """Every shard once, as each is finished. Raises `BadInput` where the cluster is not there or too small.

    One core stays free for Ray Data's reader: where actors take all of them it starves, and nothing goes on.
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
    there = ray.cluster_resources().get("CPU", 0)
    if actors * cpus > there - 1:
        raise BadInput(
            f"The cluster has {there:g} cores, and {actors} actors with {cpus:g} each would leave none for the reader: "
            f"ask for at most {max(0, int((there - 1) // cpus))} with --workers."
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
