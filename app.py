"""The app's frame: title, look and pages. Everything else lives in pages/ and components/."""

import streamlit as st

st.set_page_config(
    page_title="Subtext",
    page_icon=":material/image_search:",
    layout="wide",
    initial_sidebar_state=260,  # pixels; folded away on a phone
)

page = st.navigation(
    {
        "Analyze": [
            st.Page(
                "pages/analyze/meme.py", title="Meme", icon=":material/image_search:", url_path="meme", default=True
            ),
        ],
        "Look closer": [
            st.Page("pages/compare/systems.py", title="Compare", icon=":material/compare:", url_path="compare"),
            st.Page(
                "pages/evaluation/models.py", title="Evaluation", icon=":material/monitoring:", url_path="evaluation"
            ),
        ],
    }
)
page.run()
