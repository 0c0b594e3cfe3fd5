"""Evaluation: the metrics of all trained models, one model in detail, photographs, robustness, a test suite."""

from functools import partial

import streamlit as st

from components.evaluate import (
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
views = [MODELS, *([PHOTOGRAPHS] if photographs.tables() else []), PIXELS, SUITE]
view = st.segmented_control(
    "Show", views, default=MODELS, required=True, label_visibility="collapsed", key="view", bind="query-params"
)
others = {PHOTOGRAPHS: photographs.draw, PIXELS: robustness_study.draw, SUITE: functional_suite.draw}
if view in others:
    st.header({PIXELS: "What a few pixels do", SUITE: "A functional test suite"}.get(view, view), anchor=False)
    with failures.contained():
        others[view]()
    st.stop()

models = sorted(trained_models.models(), key=lambda item: (item.name != trained_models.VERDICT, not item.heads))
for item in models:
    if item.problem:
        failures.tell(item.problem)
lines = [line for item in models for line in item.measurements()]
if not lines:
    st.info("No model in `weights/` has figures: `python -m training fit` writes them.", icon=":material/info:")
    st.stop()

tasks = sorted({line.task for line in lines})
chosen_tasks = st.multiselect("Tasks", tasks, placeholder="All tasks", key="tasks", persist_state="page")
metric_tables.draw_table([line for line in lines if line.task in (chosen_tasks or tasks)])

st.header("One model in detail", anchor=False)
choices = {
    item.title: item for item in models if any(line.task in (chosen_tasks or tasks) for line in item.measurements())
}
left, middle, right = st.columns(3, gap="medium")
model = choices[left.selectbox("Model", list(choices), key="model", persist_state="session")]
known = list(dict.fromkeys([*model.heads, *(line.task for line in model.measurements())]))
known = [task for task in known if task in chosen_tasks] or known
task = middle.selectbox("Task", known, key=f"task-{model.name}", persist_state="session")
row_sets = model.rows(task)
rows = None
if len(row_sets) > 1:
    key, words = f"rows-{model.name}-{task}", metric_tables.rows_in_words
    rows = st.segmented_control(
        "Rows", row_sets, default=row_sets[0], required=True, key=key, format_func=words, persist_state="page"
    )
predictions = read_predictions(model.folder, task, rows)
number = 0
if predictions is not None and len(predictions.head.targets) > 1:
    names = [question.name.replace("_", " ") for question in predictions.head.targets]
    chosen_question = right.selectbox("Question", names, key=f"question-{model.name}-{task}", persist_state="page")
    number = names.index(chosen_question)
st.caption(model.evaluation.get("summary", ""))
if model.evaluation.get("measured_with"):
    stand_ins = "; ".join(f"{side}: {how}" for side, how in model.evaluation["measured_with"].items())
    st.caption(f":material/info: Measured with {stand_ins}.")

measurements, data = model.measurements(task), model.data(task)
known_elsewhere = published.of(task) or published.near_copies(task)
rows_are_there = predictions is not None and run_details.rows_file(predictions, data).is_file()
tabs = {
    ":material/table_rows: Figures": measurements and partial(metric_tables.figures, measurements),
    ":material/show_chart: Curves": predictions
    and partial(prediction_plots.roc_and_precision_recall, predictions, number),
    ":material/straighten: Reliability": predictions and partial(prediction_plots.reliability, predictions, number),
    ":material/grid_on: Confusion": predictions and partial(prediction_plots.confusion, predictions, number),
    ":material/tune: Thresholds": predictions
    and partial(prediction_plots.thresholds, predictions, number, model.bands(task)),
    ":material/school: Learning": model.curves and partial(run_details.learning, model),
    ":material/content_cut: Ablations": model.ablations(task) and partial(metric_tables.ablations, model, task),
    ":material/public: Published": known_elsewhere and partial(metric_tables.draw_published, task, model),
    ":material/photo_library: Memes": rows_are_there
    and predictions
    and partial(run_details.memes, predictions, number, data),
}
drawn = {title: draw for title, draw in tabs.items() if draw}  # what there is nothing to show of is said once, below
for tab, draw in zip(st.tabs(list(drawn)) if drawn else [], drawn.values(), strict=True):
    with tab, failures.contained():
        draw()
if lacking := run_details.missing(model, task, predictions):
    st.caption(f":material/info: {lacking}")
