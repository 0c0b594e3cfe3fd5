"""Search a collection of pictures with words or a picture: the closest pictures and captions, and near-duplicates."""

import time

import streamlit as st

from components.explore import search
from components.shared import engine, failures, sidebar
from models.search.joint_space import SearchHit

about = sidebar.draw()
search_state = search.current()
place = st.empty()
analyzer = space = None
if search_state.library is None:
    with place.container():
        given = search.ask()
with failures.contained(), st.spinner("Loading the models", show_time=True):
    analyzer, space = engine.analyzer(), engine.joint_space()
if analyzer is None or space is None:
    st.stop()
sidebar.tell(about, analyzer.info)
if search_state.library is None:
    if given is not None:
        place.empty()
        search.index(*given, analyzer, space)
    st.stop()

collection, bands = search_state.library, analyzer.bands
head, tools = st.columns([3, 1], vertical_alignment="center")
head.title(f"Search {len(collection):,} pictures", anchor=False)
with tools, st.container(horizontal=True, horizontal_alignment="right"):
    st.button("Other pictures", icon=":material/restart_alt:", on_click=search.forget)
search.problems(collection)
vector, among = None, None
with failures.contained():
    vector = search.query(space)
with failures.contained():
    among = search.filtered(collection, analyzer)

nearest, captions, same = st.tabs(
    [":material/image: Pictures", ":material/notes: Captions", ":material/content_copy: Near-duplicates"]
)
with nearest, failures.contained():
    if vector is not None:
        start = time.perf_counter()
        hits = collection.pictures.search(vector, search.MAX_SHOWN, among=among)
        took = (time.perf_counter() - start) * 1000
        if hits:
            st.caption(search.explained(hits, len(collection), "pictures", f", found in {took:.1f} ms"))
    else:
        rows = range(len(collection)) if among is None else among
        hits = [SearchHit(row) for row in list(rows)[: search.MAX_SHOWN]]
        st.caption(
            f"Type words or drop a picture: the closest come first. Until then, the first {len(hits):,} of the collection."
        )
    if not hits:
        st.info("No picture lies in this range of scores.", icon=":material/filter_alt_off:")
    search.score([hit.row for hit in hits], collection, analyzer)
    search.thumbnails(hits, collection, bands, "nearest")
with captions, failures.contained():
    if not len(collection.captions):
        st.info(
            "These pictures came without captions. Index them again with “Read the words on the pictures”, or give a "
            "table of names and captions beside them.",
            icon=":material/text_fields:",
        )
    elif vector is None:
        st.info("Type words or drop a picture to see the closest captions.", icon=":material/search:")
    else:
        caption_hits = collection.search_captions(vector, search.MAX_SHOWN, among=among)
        if caption_hits:
            st.caption(search.explained(caption_hits, len(collection.captions), "captions"))
        else:
            st.info("No picture with a caption lies in this range of scores.", icon=":material/filter_alt_off:")
        search.score([hit.row for hit in caption_hits], collection, analyzer)
        search.thumbnails(caption_hits, collection, bands, "captions")
with same, failures.contained():
    search.duplicates(collection, space, analyzer, bands)
