"""How good is each trained model: all figures and one model in detail, photographs, robustness, a test suite."""

from collections.abc import Callable
from functools import partial

import streamlit as st

from components.compare import comparison
from components.evaluate import (
    example_memes,
    functional_suite,
    metric_tables,
    photographs,
    prediction_plots,
    published,
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
    functional_suite.draw()
    st.stop()

models = sorted(trained_models.models(), key=lambda item: (item.name != comparison.VERDICT, not item.tasks))
for item in models:
    if item.problem:
        failures.tell(item.problem)
lines = [line for item in models for line in item.measurements()]
if not lines:
    st.info("No model in `weights/` has figures: `python -m training fit` writes them.", icon=":material/info:")
    st.stop()

tasks = sorted({line.task for line in lines})
chosen_tasks = st.multiselect("Tasks", tasks, placeholder="All tasks", key="tasks", persist_state="page")
metric_tables.draw_table([line for line in lines if not chosen_tasks or line.task in chosen_tasks])

st.header("One model in detail", anchor=False)
shown = [
    item
    for item in models
    if item.measurements() and (not chosen_tasks or {line.task for line in item.measurements()} & set(chosen_tasks))
]
choices = {item.title: item for item in shown}
left, middle, right = st.columns(3, gap="medium")
model = choices[left.selectbox("Model", list(choices), key="model", persist_state="session")]
known = list(dict.fromkeys([*model.tasks, *(line.task for line in model.measurements())]))
known = [task for task in known if not chosen_tasks or task in chosen_tasks] or known
task = middle.selectbox("Task", known, key=f"task-{model.name}", persist_state="session")
row_sets = model.rows(task)
rows = None
if len(row_sets) > 1:
    rows = st.segmented_control(
        "Rows",
        row_sets,
        default=row_sets[0],
        required=True,
        key=f"rows-{model.name}-{task}",
        format_func=metric_tables.rows_in_words,
        persist_state="page",
    )
predictions = read_predictions(model.folder, task, rows)
question_number = 0
if predictions is not None and len(predictions.head.questions) > 1:
    names = [question.name.replace("_", " ") for question in predictions.head.questions]
    chosen_question = right.selectbox("Question", names, key=f"question-{model.name}-{task}", persist_state="page")
    question_number = names.index(chosen_question)
st.caption(model.evaluation.get("summary", ""))
if model.evaluation.get("measured_with"):
    stand_ins = "; ".join(f"{side}: {how}" for side, how in model.evaluation["measured_with"].items())
    st.caption(f":material/info: Measured with {stand_ins}.")

# only what there is something to show of; the rest is said once, below
drawn: dict[str, Callable[[], None]] = {}
if measurements := model.measurements(task):
    drawn[":material/table_rows: Figures"] = partial(metric_tables.figures, measurements)
if predictions is not None:
    drawn |= {
        ":material/show_chart: Curves": partial(prediction_plots.curves_of, predictions, question_number),
        ":material/straighten: Reliability": partial(prediction_plots.reliability, predictions, question_number),
        ":material/grid_on: Confusion": partial(prediction_plots.confusion, predictions, question_number),
        ":material/tune: Thresholds": partial(
            prediction_plots.thresholds, predictions, question_number, model.bands(task)
        ),
    }
if model.curves:
    drawn[":material/school: Learning"] = partial(run_details.learning, model)
if model.ablations(task):
    drawn[":material/content_cut: Ablations"] = partial(metric_tables.ablations, model, task)
if published.known(task):
    drawn[":material/public: Published"] = partial(metric_tables.beside, task, model)
if predictions is not None and example_memes.rows_file(predictions, model.data(task)).is_file():
    drawn[":material/photo_library: Memes"] = partial(
        example_memes.draw, predictions, question_number, model.data(task)
    )
for tab, draw in zip(st.tabs(list(drawn)) if drawn else [], drawn.values(), strict=True):
    with tab, failures.contained():
        draw()
if lacking := run_details.missing(model, task, predictions):
    st.caption(f":material/info: {lacking}")
