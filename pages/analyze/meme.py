"""Meme: asks for a meme, then shows verdict, explanation and picture, then what moved the verdict."""

import streamlit as st

from components.analyze import attention, emotions, evidence, overlay, report
from components.shared import failures, intake, languages, lenses, pictures, sidebar, verdict, visit
from models.scaling import to_size

about = sidebar.draw()
visited = visit.current()
# Emptied as soon as there is a meme: fading slowly, the ways in would keep a phone scrolled past the verdict.
ways_in = st.empty()
if visited.empty:
    with ways_in.container():
        intake.ask()

analyzer = sidebar.load_analyzer(about)
if visited.empty or analyzer is None:
    if not visited.empty:
        st.button("Start over", icon=":material/restart_alt:", on_click=intake.start_over)
    st.stop()

head, tools = st.columns([3, 2], vertical_alignment="center")
title = head.empty()
title.title("What this meme says", anchor=False)
progress = visit.Progress()
words, result = None, None  # each may fail; the picture and the box with the words are drawn all the same
with failures.contained():
    words = visit.read(visited, analyzer, progress.show)
with failures.contained():
    if words is not None:
        result = visit.run(visited, words, analyzer, progress.show, lenses.wanted())
progress.clear()

image = visited.picture.image if visited.picture else None
drawn = (
    result if result is None or image is None else to_size(result, *image.size)
)  # its boxes on the picture that is here
with tools, st.container(horizontal=True, horizontal_alignment="right"):
    if result is not None:
        report.draw_downloads(result, image, visited.name)
    st.button("Another meme", icon=":material/add_photo_alternate:", on_click=intake.start_over)

picture, answer = st.columns([3, 5], gap="medium")
with picture:
    if image is not None:
        shown, alt = image, visited.alt
        if result is not None and result.attention.regions:
            shown, alt = overlay.heat(image, result.attention.regions), f"{alt}, under a heat of where the model looks"
        pictures.show(shown, key=visited.name, place="first", alt=alt, height=280)
    intake.edit_words(visited, words if result is None else result.caption)
if result is None or drawn is None:
    st.stop()
title.title(verdict.TITLES[result.verdict.label], anchor=False)
with answer:
    verdict.draw(result.verdict, result.harm)
    if result.harm is not None:
        languages.draw_note(result.caption.language, "The harm score")
    evidence.draw_explanation(result.explanation)

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
    evidence.draw(drawn.evidence, result.caption.text, image, visited.name)
with looks, failures.contained():
    if result.evidence.gradient is not None:
        attention.draw_gradient(
            result.evidence.gradient, result.attention.detail, result.caption.text, image, visited.name
        )
    else:
        attention.draw(result.attention, result.caption.text, image, visited.name)
with feels, failures.contained():
    in_words, in_faces = st.columns(2, gap="medium")
    with in_words:
        emotions.draw_text(result.emotions.text)
        languages.draw_note(result.caption.language, "What reads emotions in words")
    with in_faces:
        emotions.draw_faces(drawn.emotions.faces, image, visited.name)
with other, failures.contained():
    languages.draw_note(result.caption.language, "Each of these lenses")
    lenses.draw(result.lenses)
with ran:
    visit.table(result.stages, result.profile)
