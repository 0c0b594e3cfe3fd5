"""Analyze a meme: ask for it, then verdict, explanation and picture, then the evidence."""

import streamlit as st

from components.analyze import attention, emotions, evidence, explanation, export, gradient
from components.shared import (
    analysis,
    caption_editor,
    engine,
    failures,
    intake,
    lenses,
    overlay,
    pictures,
    sidebar,
    stages,
    verdict,
    visit,
)

about = sidebar.draw()
seen = visit.current()
ways_in = st.empty()  # gone as soon as there is a meme: left to fade, they would keep a phone scrolled past the verdict
if seen.empty:
    with ways_in.container():
        intake.ask()

analyzer = None
with failures.contained(), st.spinner("Loading the models", show_time=True):
    analyzer = engine.analyzer()
if analyzer is not None:
    sidebar.tell(about, analyzer.info)
if seen.empty or analyzer is None:
    if not seen.empty:
        st.button("Start over", icon=":material/restart_alt:", on_click=intake.start_over)
    st.stop()

head, tools = st.columns([3, 2], vertical_alignment="center")
title = head.empty()
title.title("What this meme says", anchor=False)
progress = stages.Progress()
words, found = None, None  # each may fail; what the user gave stays in sight
with failures.contained():
    words = analysis.read(seen, analyzer, progress.show)
with failures.contained():
    if words is not None:
        found = analysis.run(seen, words, analyzer, progress.show, lenses.wanted())
progress.clear()

image = seen.picture.image if seen.picture else None
with tools, st.container(horizontal=True, horizontal_alignment="right"):
    if found is not None:
        export.draw(found, image, seen.name)
    st.button("Another meme", icon=":material/add_photo_alternate:", on_click=intake.start_over)

picture, answer = st.columns([3, 5], gap="medium")
with picture:
    if image is not None:
        heated = found is not None and bool(found.attention.regions)
        pictures.show(
            overlay.heat(image, found.attention.regions) if found and heated else image,
            key=seen.name,
            place="first",
            alt=f"{seen.alt}{', under a heat of where the model looks' if heated else ''}",
            height=280,
        )
    caption_editor.edit(seen, words)
if found is None:
    st.stop()
title.title(verdict.title(found.verdict), anchor=False)
with answer:
    verdict.draw(found.verdict, found.harm)
    explanation.draw(found.explanation)

moved, looks, feels, other, ran = st.tabs(
    [
        ":material/balance: Evidence",
        ":material/visibility: Attention",
        ":material/mood: Emotions",
        ":material/lens_blur: Other lenses",
        ":material/timer: Details",
    ]
)
with moved, failures.contained():
    evidence.draw(found.evidence, found.caption.text, image, seen.name)
with looks, failures.contained():
    if found.evidence.gradient is not None:
        gradient.draw(found.evidence.gradient, found.attention.detail, found.caption.text, image, seen.name)
    else:
        attention.draw(found.attention, found.caption.text, image, seen.name)
with feels, failures.contained():
    in_words, in_faces = st.columns(2, gap="medium")
    with in_words:
        emotions.draw_text(found.emotions.text)
    with in_faces:
        emotions.draw_faces(found.emotions.faces, image, seen.name)
with other, failures.contained():
    lenses.draw(found.lenses)
with ran:
    stages.table(found.stages, found.profile)
