"""What the words and the faces carry, or why there is nothing to show."""

from collections.abc import Sequence

import plotly.graph_objects as go
import streamlit as st
from PIL import Image

from components.analyze import overlay
from components.shared import charts, failures, pictures
from components.shared.palette import AWAY, NEUTRAL
from models.analysis import Emotion, Expression, Face, FaceEmotions, TextEmotions


def text_chart(emotions: TextEmotions) -> go.Figure:
    """All emotions as bars, those above their thresholds first, each with its own threshold as a stroke."""
    scores = [(score.label, score) for score in emotions.scores]
    return charts.threshold_bars(scores, "Clearly there", "Below threshold", "Threshold")


def draw_text(emotions: TextEmotions) -> None:
    """The chart of the emotions in the words, or why there is none."""
    st.subheader("In the words", anchor=False)
    if emotions.status == "failed":
        failures.tell(emotions.detail)
    elif not emotions.scores:
        st.info("No text found, so there are no emotions in words to show.", icon=":material/text_fields:")
    else:
        present = [score.label for score in emotions.scores if score.present and score.label != "neutral"]
        neutral = any(score.present and score.label == "neutral" for score in emotions.scores)
        none = "They read as **neutral**: no emotion is clearly there." if neutral else "No emotion is clearly there."
        st.markdown(f"Clearly there: **{', '.join(present)}**." if present else none)
        alt = f"Emotions in the words. {_in_words(emotions.scores)}"
        height = 70 + charts.ROW_HEIGHT * len(emotions.scores)
        charts.draw(text_chart(emotions), alt=alt, key="chart-text-emotions", height=height)


def face_chart(face: Face) -> go.Figure:
    """The seven expressions of one face; they share out 100%."""
    rows = [(score.label, score.probability, f"{score.probability:.0%}") for score in face.expressions]
    figure = charts.bars([("Most likely", AWAY, rows[:1]), ("Others", NEUTRAL, rows[1:])])
    figure.update_xaxes(range=[0, 1.15], visible=False)
    figure.update_layout(showlegend=False)
    return figure


def draw_faces(faces: FaceEmotions, image: Image.Image | None, key: str) -> None:
    """The picture with a box on each face, then each face with its seven expressions."""
    st.subheader("In the faces", anchor=False)
    if faces.status == "failed":
        failures.tell(faces.detail)
        return
    if image is None:
        st.info("No picture, so there are no faces to read.", icon=":material/hide_image:")
        return
    if not faces.faces:
        st.info("No face found.", icon=":material/no_accounts:")
        return
    count = len(faces.faces)
    alt = f"The picture with a numbered box on each of {count} faces" if count > 1 else "The picture, its face boxed"
    pictures.show(overlay.faces(image, faces.faces), key=key, place="faces", alt=alt, height=340)
    for number, face in enumerate(faces.faces, start=1):
        picture, chart = st.columns([1, 3], vertical_alignment="center")
        with picture:
            cut = overlay.crop(image, face.box)
            pictures.show(cut, key=key, place=f"face-{number}", alt=f"Face {number}", height=96)
            st.caption(f"Face {number}, found with {face.confidence:.0%} confidence")
        with chart:
            alt = f"Face {number}, most likely {face.expressions[0].label}. {_in_words(face.expressions)}"
            height = 16 + charts.ROW_HEIGHT * len(face.expressions)
            charts.draw(face_chart(face), alt=alt, key=f"chart-face-{number}", height=height)


def _in_words(scores: Sequence[Emotion | Expression]) -> str:
    return "; ".join(f"{score.label} {score.probability:.0%}" for score in scores)
