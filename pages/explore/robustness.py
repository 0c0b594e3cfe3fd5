"""Robustness: how far must the meme be changed until the verdict changes?"""

import streamlit as st

from components.evaluate import robustness_study
from components.explore import perturbation, pixel_attack
from components.shared import failures, intake, sidebar, visit
from models.analysis import Meme
from models.robustness.changes import judge

about = sidebar.draw()
visited = visit.current()
ways_in = st.empty()
if visited.empty:
    with ways_in.container():
        intake.ask(
            "How much does it take to fool it?",
            "Give the meme to attack: stray pixels, JPEG, blur, noise and crops for its picture, typos, leetspeak, "
            "look-alike and invisible letters and emoji for its words.",
        )
analyzer = sidebar.load_analyzer(about)
if visited.empty or analyzer is None:
    with st.expander("What the study measured", icon=":material/science:"), failures.contained():
        robustness_study.draw()
    st.stop()

head, tools = st.columns([3, 1], vertical_alignment="center")
head.title("How much does it take to fool it?", anchor=False)
with tools, st.container(horizontal=True, horizontal_alignment="right"):
    st.button("Another meme", icon=":material/add_photo_alternate:", on_click=intake.start_over)
progress = visit.Progress()
meme = None
with failures.contained():
    caption = visit.read(visited, analyzer, progress.show)
    picture = visited.picture
    meme = picture.meme(caption) if picture else Meme(None, caption)
progress.clear()
if meme is None:
    st.stop()

key = f"{visited.number}-{visited.name}"
changes, few, study = st.tabs(
    [":material/tune: Changes by strength", ":material/target: Pixel attack", ":material/science: Study"]
)
with changes, failures.contained():
    change = perturbation.choose(meme, key)
    curve = perturbation.curve(meme, change, analyzer, key)
    picture_column, curve_column = st.columns([2, 3], gap="medium")
    with picture_column:
        strength = st.slider("Strength", 0.0, 1.0, 0.5, 0.05, key=f"strength-{key}-{change.name}")
        changed, now = judge(analyzer, meme, change, strength)
        perturbation.draw_changed(meme, changed, now, change, strength, key)
    with curve_column:
        perturbation.draw_curve(curve, meme, change, strength, now, key)
        st.caption(
            "Before it reads them, Subtext folds look-alike letters, drops invisible ones and squashes pictures to "
            "224 by 224 pixels: what these changes do not move, they were meant not to."
        )
with few, failures.contained():
    pixel_attack.draw(meme, analyzer, key)
with study, failures.contained():
    robustness_study.draw()
