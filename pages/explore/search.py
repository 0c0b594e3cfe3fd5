"""Search a collection: give pictures, then ask with words or a picture; what is found, captions, near-duplicates."""

import time

import streamlit as st

from components.explore import search
from components.shared import engine, failures, sidebar

about = sidebar.draw()
seen = search.current()
place = st.empty()
analyzer = space = None
if seen.library is None:
    with place.container():
        given = search.ask()
with failures.contained(), st.spinner("Loading the models", show_time=True):
    analyzer, space = engine.analyzer(), engine.joint_space()
if analyzer is None or space is None:
    st.stop()
sidebar.tell(about, analyzer.info)
if seen.library is None:
    if given is not None:
        place.empty()
        search.index(*given, analyzer, space)
    st.stop()

held, bands = seen.library, analyzer.bands
head, tools = st.columns([3, 1], vertical_alignment="center")
head.title(f"Search {len(held):,} pictures", anchor=False)
with tools, st.container(horizontal=True, horizontal_alignment="right"):
    st.button("Other pictures", icon=":material/restart_alt:", on_click=search.forget)
search.problems(held)
vector, among = None, None
with failures.contained():
    vector = search.query(space)
with failures.contained():
    among = search.filtered(held, analyzer)

nearest, captions, same = st.tabs(
    [":material/image: Pictures", ":material/notes: Captions", ":material/content_copy: Near-duplicates"]
)
with nearest, failures.contained():
    if vector is not None:
        start = time.perf_counter()
        found = held.search(vector, search.SHOWN, among=among)
        took = (time.perf_counter() - start) * 1000
        if found:
            st.caption(search.explained(found, len(held), "pictures", f", found in {took:.1f} ms"))
    else:
        rows = range(len(held)) if among is None else among
        found = [search.Found(row) for row in list(rows)[: search.SHOWN]]
        st.caption(
            f"Type words or drop a picture: the closest come first. Until then, the first {len(found):,} of the collection."
        )
    if not found:
        st.info("No picture lies in this range of scores.", icon=":material/filter_alt_off:")
    search.score([hit.entry for hit in found], held, analyzer)
    search.thumbnails(found, held, bands, "nearest")
with captions, failures.contained():
    if not len(held.captions):
        st.info(
            "These pictures came without captions. Index them again with “Read the words on the pictures”, or give a "
            "table of names and captions beside them.",
            icon=":material/text_fields:",
        )
    elif vector is None:
        st.info("Type words or drop a picture to see the closest captions.", icon=":material/search:")
    else:
        told = held.search_captions(vector, search.SHOWN, among=among)
        if told:
            st.caption(search.explained(told, len(held.captions), "captions"))
        else:
            st.info("No picture with a caption lies in this range of scores.", icon=":material/filter_alt_off:")
        search.score([hit.entry for hit in told], held, analyzer)
        search.thumbnails(told, held, bands, "captions")
with same, failures.contained():
    search.duplicates(held, space, analyzer, bands)
