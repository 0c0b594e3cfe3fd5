"""How good is each trained model: all figures, one model's curves, photographs, the robustness study, a test suite."""

import streamlit as st

from components import (
    charts,
    comparison,
    engine,
    evaluation,
    failures,
    gallery_of_answers,
    photographs,
    robust_study,
    sidebar,
    suite,
    trained,
)

about = sidebar.draw()
st.title("How well each model does", anchor=False)
st.markdown(
    "Every figure is read from the files that training wrote beside the weights, with its 95% interval and what always "
    "answering the commonest class would give."
)
held = trained.models()
for one in held:
    if one.problem:
        failures.tell(one.problem)
lines = [line for one in held for line in one.lines]
if not lines:
    st.info("No model in `weights/` has figures: `python -m training fit` writes them.", icon=":material/info:")
    st.stop()

tasks = sorted({line.task for line in lines})
wanted = st.multiselect("Tasks", tasks, placeholder="All tasks", key="tasks")
evaluation.draw_table([line for line in lines if not wanted or line.task in wanted])

st.header("One model in detail", anchor=False)
shown = [one for one in held if one.lines and (not wanted or {line.task for line in one.lines} & set(wanted))]
choices = {one.title: one for one in sorted(shown, key=lambda one: (one.name != comparison.VERDICT, not one.tasks))}
left, middle, right = st.columns(3, gap="medium")
model = choices[left.selectbox("Model", list(choices), key="model")]
known = list(dict.fromkeys([*model.tasks, *(line.task for line in model.lines)]))
task = middle.selectbox("Task", known, key=f"task-{model.name}")
found = model.predictions(task)
number = 0
if found is not None and len(found.head.questions) > 1:
    names = [question.name.replace("_", " ") for question in found.head.questions]
    number = names.index(right.selectbox("Question", names, key=f"question-{model.name}-{task}"))
st.caption(model.evaluation.get("summary", ""))
if model.evaluation.get("measured_with"):
    told = "; ".join(f"{side}: {how}" for side, how in model.evaluation["measured_with"].items())
    st.caption(f":material/info: Measured with {told}.")

views = st.tabs(
    [
        ":material/show_chart: Curves",
        ":material/straighten: Reliability",
        ":material/grid_on: Confusion",
        ":material/tune: Thresholds",
        ":material/school: Learning",
        ":material/content_cut: Ablations",
        ":material/public: Published",
        ":material/photo_library: Memes",
    ]
)
drawn = [
    evaluation.curves_of,
    evaluation.reliability,
    evaluation.confusion,
    evaluation.thresholds,
]
for view, draw in zip(views[:4], drawn, strict=True):
    with view, failures.contained():
        if found is None:
            st.info("No predictions of this task were kept beside the weights.", icon=":material/info:")
        else:
            draw(found, number)
with views[4], failures.contained():
    evaluation.learning(model)
with views[5], failures.contained():
    evaluation.ablations(model)
with views[6], failures.contained():
    evaluation.beside(task, model)
with views[7], failures.contained():
    if found is None:
        st.info("No predictions of this task were kept beside the weights.", icon=":material/info:")
    else:
        gallery_of_answers.draw(found, number, model.evaluation.get("data", ""))

with failures.contained():
    photographs.draw()

st.header("What a few pixels do", anchor=False)
with failures.contained():
    robust_study.draw()

st.header("A functional test suite", anchor=False)
st.markdown(
    "Drop a csv in HateCheck's layout (`functionality`, `test_case`, `label_gold`, `target_ident`): each case goes through "
    "the verdict's model, and accuracy is drawn by functionality and group. The file is read here and not kept."
)
file = st.file_uploader("Test suite", type=["csv"], key="suite", max_upload_size=10, label_visibility="collapsed")
if file is not None:
    with failures.contained():
        cases, problems = suite.read(file.getvalue())
        name = f"{file.name}-{file.size}"
        if st.session_state.get("suite_name") != name:
            bar = st.progress(0.0, text=f"Reading {len(cases):,} cases")
            st.session_state["suite_results"] = suite.run(cases, engine.analyzer(), bar.progress)
            st.session_state["suite_name"] = name
            bar.empty()
        results = st.session_state["suite_results"]
        for problem in problems[:5]:
            st.caption(f":material/warning: {problem}")
        grid = suite.grid(results)
        st.markdown(f"**{grid.accuracy[0, 0]:.1%}** of {len(results):,} cases right at the classifier's own threshold.")
        told = "; ".join(
            f"{name} {value:.0%}" for name, value in zip(grid.functionalities, grid.accuracy[:, 0], strict=True)
        )
        charts.draw(
            suite.heat(grid),
            alt=f"Accuracy by functionality: {told}",
            key="chart-suite",
            height=120 + 24 * len(grid.functionalities),
        )
        st.download_button(
            "Download the answers", suite.as_csv(results), "suite.csv", "text/csv", icon=":material/download:"
        )
