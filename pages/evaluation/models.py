"""How good is each trained model: all figures and one model in detail, photographs, robustness, a test suite."""

from collections.abc import Callable
from functools import partial

import streamlit as st

from components.compare import comparison
from components.evaluate import (
    example_memes,
    functional_suite_view,
    photographs,
    plots,
    robustness_study,
    run_details,
    trained_models,
)
from components.shared import failures, sidebar
from models.evaluation_files import read_predictions

MODELS, PHOTOGRAPHS, PIXELS, SUITE = "Trained models", "Photographs", "A few pixels", "Functional test suite"

about = sidebar.draw()
st.title("How well each model does", anchor=False)
st.markdown(
    "Every figure is read from the files that training wrote beside the weights, with its 95% interval and what always "
    "answering the commonest class would give."
)
views = [MODELS, *([PHOTOGRAPHS] if photographs.any_there() else []), PIXELS, SUITE]
view = st.segmented_control(
    "Show", views, default=MODELS, required=True, label_visibility="collapsed", key="view", bind="query-params"
)
if view == PHOTOGRAPHS:
    with failures.contained():
        photographs.draw()
    st.stop()
if view == PIXELS:
    st.header("What a few pixels do", anchor=False)
    with failures.contained():
        robustness_study.draw()
    st.stop()
if view == SUITE:
    st.header("A functional test suite", anchor=False)
    functional_suite_view.draw()
    st.stop()

held = sorted(trained_models.models(), key=lambda one: (one.name != comparison.VERDICT, not one.tasks))
for one in held:
    if one.problem:
        failures.tell(one.problem)
lines = [line for one in held for line in one.measurements()]
if not lines:
    st.info("No model in `weights/` has figures: `python -m training fit` writes them.", icon=":material/info:")
    st.stop()

tasks = sorted({line.task for line in lines})
wanted = st.multiselect("Tasks", tasks, placeholder="All tasks", key="tasks", persist_state="page")
plots.draw_table([line for line in lines if not wanted or line.task in wanted])

st.header("One model in detail", anchor=False)
shown = [
    one
    for one in held
    if one.measurements() and (not wanted or {line.task for line in one.measurements()} & set(wanted))
]
choices = {one.title: one for one in shown}
left, middle, right = st.columns(3, gap="medium")
model = choices[left.selectbox("Model", list(choices), key="model", persist_state="session")]
known = list(dict.fromkeys([*model.tasks, *(line.task for line in model.measurements())]))
known = [task for task in known if not wanted or task in wanted] or known
task = middle.selectbox("Task", known, key=f"task-{model.name}", persist_state="session")
sets = model.rows(task)
chosen = None
if len(sets) > 1:
    chosen = st.segmented_control(
        "Rows",
        sets,
        default=sets[0],
        required=True,
        key=f"rows-{model.name}-{task}",
        format_func=plots.told,
        persist_state="page",
    )
found = read_predictions(model.folder, task, chosen)
number = 0
if found is not None and len(found.head.questions) > 1:
    names = [question.name.replace("_", " ") for question in found.head.questions]
    asked = right.selectbox("Question", names, key=f"question-{model.name}-{task}", persist_state="page")
    number = names.index(asked)
st.caption(model.evaluation.get("summary", ""))
if model.evaluation.get("measured_with"):
    told = "; ".join(f"{side}: {how}" for side, how in model.evaluation["measured_with"].items())
    st.caption(f":material/info: Measured with {told}.")

# only what there is something to show of; the rest is said once, below
drawn: dict[str, Callable[[], None]] = {}
if measurements := model.measurements(task):
    drawn[":material/table_rows: Figures"] = partial(run_details.figures, measurements)
if found is not None:
    drawn |= {
        ":material/show_chart: Curves": partial(plots.curves_of, found, number),
        ":material/straighten: Reliability": partial(plots.reliability, found, number),
        ":material/grid_on: Confusion": partial(plots.confusion, found, number),
        ":material/tune: Thresholds": partial(plots.thresholds, found, number, model.bands(task)),
    }
if model.curves:
    drawn[":material/school: Learning"] = partial(run_details.learning, model)
if model.ablations(task):
    drawn[":material/content_cut: Ablations"] = partial(run_details.ablations, model, task)
if run_details.compared(task):
    drawn[":material/public: Published"] = partial(run_details.beside, task, model)
if found is not None and example_memes.rows_file(found, model.data(task)).is_file():
    drawn[":material/photo_library: Memes"] = partial(example_memes.draw, found, number, model.data(task))
for tab, draw in zip(st.tabs(list(drawn)) if drawn else [], drawn.values(), strict=True):
    with tab, failures.contained():
        draw()
if lacking := run_details.missing(model, task, found):
    st.caption(f":material/info: {lacking}")
