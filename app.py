"""The app's frame (title, look and pages) and, where the server imports this file, the app itself with the API beside it.

`streamlit run app.py` finds `app`, imports this module for it, and runs the same file as a script for each visitor.
"""

from pathlib import Path

import streamlit as st

if __name__ == "__main__":  # a visitor's run
    st.set_page_config(
        page_title="Subtext",
        page_icon=":material/image_search:",
        layout="wide",
        initial_sidebar_state=260,  # pixels; folded away on a phone
    )

    groups = {
        "Analyze": [("analyze/meme", "Meme", "image_search"), ("batch/batch", "Batch", "stacks")],
        "Look closer": [("compare/compare", "Compare", "compare"), ("evaluation/models", "Evaluation", "monitoring")],
        "Explore": [("explore/search", "Search", "search"), ("explore/robustness", "Robustness", "shield")],
    }
    pages = {
        group: [
            st.Page(
                f"pages/{file}.py",
                title=title,
                icon=f":material/{icon}:",
                url_path=title.lower(),
                default=title == "Meme",
            )
            for file, title, icon in files
        ]
        for group, files in groups.items()
    }
    st.navigation(pages).run()
else:  # the server's import: one process, and one analyzer in memory for pages and API
    import logging
    from collections.abc import AsyncIterator
    from contextlib import asynccontextmanager

    from streamlit import runtime
    from streamlit.runtime.pages_manager import PagesManager

    from components.shared import engine
    from serving import api, housekeeping

    # Streamlit sees a folder named pages/ and takes this for an app of the old kind until the first run has shown
    # otherwise: a fresh server would tell whoever comes first by a link to a page that there is no such page.
    PagesManager.uses_pages_directory = False
    # The API's threads take the analyzer out of the pages' cache, and each time would be warned that they serve no page.
    logging.getLogger("streamlit.runtime.scriptrunner_utils.script_run_context").setLevel(logging.ERROR)
    served = api.create(load=engine.analyzer)

    def is_open(session: str) -> bool:
        """Whether the page of this session is open in a browser."""
        return runtime.exists() and runtime.get_instance().is_active_session(session)

    @asynccontextmanager
    async def lifespan(app: st.App) -> AsyncIterator[None]:
        """The API's, with what removes the uploads of visitors who have left."""
        with housekeeping.running(is_open):
            async with api.lifespan(served)(app):
                yield

    app = st.App(
        Path(__file__).resolve(),
        routes=api.routes(served),
        lifespan=lifespan,
        middleware=api.page_middleware(served, is_open),
    )
