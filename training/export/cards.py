"""Model cards in Markdown from jinja2 templates: `templates/NAME.md.j2`.

In a template `{{ rows | fmt(",") }}` formats a number as Python does, `{{ metrics | cell("auroc") }}` is a figure with its 95%
interval, "0.53 (0.50–0.55)", and `{% from "macros.md.j2" import metric_rows %}` gives the rows of a table. A name that is not
given is an error, so no card is written with a hole.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

TEMPLATES = Path(__file__).parent / "templates"


def render_card(template: str, **values: Any) -> str:
    """The card `templates/TEMPLATE.md.j2` with these values; raises `jinja2.UndefinedError` for a name that is missing."""
    return _environment().get_template(f"{template}.md.j2").render(**values)


def cell(metrics: Mapping[str, float], name: str, digits: int = 3) -> str:
    """`metrics[name]` with its 95% interval, or nothing where it was not measured."""
    if name not in metrics:
        return ""
    value, low, high = (f"{metrics[key]:.{digits}f}" for key in (name, f"{name}_low", f"{name}_high"))
    return f"{value} ({low}–{high})"


@functools.cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        autoescape=False,  # Markdown, of our own values alone
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"cell": cell, "fmt": format}
    return environment
