"""The library: a meme in, an analysis out. No Streamlit, no plotly."""
