"""Model cards in Markdown from jinja2 templates: `templates/NAME.md.j2`.

In a template `{{ rows | fmt(",") }}` formats a number as Python does, `{{ metrics | cell("auroc", ".2f") }}` is a metric with
its 95% interval, "0.53 (0.50–0.55)", and `{% from "macros.md.j2" import metric_rows %}` imports a macro for the rows of a
table. A value that is missing is an error, so that no card is written with a hole.
"""

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from models.evaluation_files import metric_cell

TEMPLATES = Path(__file__).parent / "templates"
_ENVIRONMENT = Environment(  # without autoescape: Markdown, of our own values alone
    loader=FileSystemLoader(TEMPLATES),
    undefined=StrictUndefined,
    autoescape=False,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.filters |= {"cell": metric_cell, "fmt": format}


def render_card(template: str, **values: Any) -> str:
    """The card `templates/TEMPLATE.md.j2` with these values; raises `jinja2.UndefinedError` for a name that is missing."""
    return _ENVIRONMENT.get_template(f"{template}.md.j2").render(**values)
