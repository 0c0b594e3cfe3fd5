"""All data sets by name, collected from this package's modules. A new data set is one file here with a `Dataset`."""

import pkgutil
from importlib import import_module

from models.errors import BadInput, suggest
from training import datasets
from training.datasets.base import Dataset


def collect() -> dict[str, Dataset]:
    """The `Dataset` constants of all modules, by the data set's name."""
    names = [module.name for module in pkgutil.iter_modules(datasets.__path__) if module.name != "registry"]
    constants = [value for name in names for value in vars(import_module(f"{datasets.__name__}.{name}")).values()]
    return {value.name: value for value in constants if isinstance(value, Dataset)}


DATASETS: dict[str, Dataset] = collect()


def get(name: str) -> Dataset:
    """The data set of that name; `BadInput` with the nearest name where there is none."""
    if name not in DATASETS:
        raise BadInput(f"There is no data set {name!r}.{suggest(name, DATASETS)}")
    return DATASETS[name]
