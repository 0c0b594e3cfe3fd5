"""Batch: many memes are judged in the background, shown as a table, and can be downloaded."""

from functools import partial

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from components.batch import results as batch
from components.shared import engine, failures, sidebar
from components.shared.intake import KINDS
from models.io.uploads import MAX_FILE_MB, MEGABYTE, UPLOADS, VISITOR_BYTES
from models.lenses import SPECS
from serving import predictors, uploads
from serving.batch import output
from serving.batch.jobs import JOBS, Job
from serving.batch.judge import Options
from serving.batch.uploads import MAX_MEMES

VISITOR_MB = VISITOR_BYTES // MEGABYTE
FORMATS = {
    "csv": ("CSV", "text/csv"),
    "parquet": ("Parquet", "application/vnd.apache.parquet"),
    "jsonl": ("JSON lines", "application/jsonl"),
}


def ask() -> None:
    """What to judge, and how."""
    st.markdown(
        f"Up to {MAX_MEMES:,} memes at once: pictures, a ZIP of pictures, or a CSV or Parquet with their words beside them. "
        "Nothing is fetched from the web, whatever a table says."
    )
    with st.form("batch", border=True):
        files = st.file_uploader(
            "Pictures, ZIP, CSV or Parquet",
            type=[*KINDS, "zip", "csv", "parquet"],
            accept_multiple_files=True,
            max_upload_size=MAX_FILE_MB,
            help=f"Up to {MAX_FILE_MB} MB a file and {VISITOR_MB} MB together. A table has a column `image` with the files' names "
            "and a column `caption` with their words; a Parquet may hold the pictures themselves. Where a meme has no caption, "
            "its words are read off the picture.",
        )
        speed = "Some three memes a second with it, dozens without."
        read = st.toggle("Read the words off pictures that come without a caption", True, help=speed)
        # what every batch has, and what the columns of the lenses say better
        in_all = {"hate", "harm", *(SPECS[name].model for name in predictors.LENSES)}
        names = [name for name in known() if name not in in_all]
        further = st.multiselect("Further columns", names, [name for name in predictors.LENSES if name in names])
        sent = st.form_submit_button("Judge them", type="primary", icon=":material/play_arrow:")
    if sent and not files:
        refusal = UPLOADS.refusals.pop(session(), "")
        failures.tell(refusal or "There is nothing to judge yet: choose some files first.")
    elif sent:
        with failures.contained():
            sources = [(file.name, UPLOADS.source(file.getvalue())) for file in files]
            job = JOBS.start(sources, Options(read, tuple(further)), engine.lend, visitor=visitor())
            st.query_params["job"] = job.id
            st.rerun()


def visitor() -> str:
    """Whose batches are counted together."""
    return uploads.visitor_name(st.context.ip_address, session())


def session() -> str:
    """The name that Streamlit gives to this open page."""
    context = get_script_run_ctx()
    return context.session_id if context else ""


def known() -> list[str]:
    """The names of the predictors; none where the models cannot be loaded, which the sidebar's loading says."""
    try:
        return list(predictors.registry(engine.analyzer()))
    except Exception:
        return []


def show(job: Job) -> None:
    """The progress and the rows of a job, drawn again every two seconds while it runs."""
    going = not job.over

    @st.fragment(run_every=2.0 if going else None)
    def draw() -> None:
        JOBS.find(job.id)  # the hour for which the job is kept begins again
        if going and job.over:
            st.rerun()
        rows = job.rows[:]
        if job.state == "waiting":
            waits = "Another batch is running; this one begins when it is done. Look in once an hour, or it is dropped."
            st.info(waits, icon=":material/hourglass_top:")
        batch.counts(job.counts)
        batch.progress(len(rows), job.total, job.speed)
        if rows:
            batch.table(rows, job.thumbnails, job.options.predictors)

    draw()
    if job.state == "failed":
        failures.tell(job.problem)
    if job.state == "stopped":
        st.warning(f"Stopped after {len(job.rows):,} of {job.total:,} memes.", icon=":material/stop_circle:")


about = sidebar.draw(
    "A batch is kept on this server for an hour after it was last looked at, or until you delete it. Where the server is full, "
    "your oldest goes first. Uploads lie on its disk until they are judged."
)
sidebar.load_analyzer(about)

job_id = st.query_params.get("job")
current = JOBS.find(job_id)
head, tools = st.columns([3, 4], vertical_alignment="center")
head.title("Many memes at once" if current is None else "Your batch", anchor=False)
if current is None:
    if job_id:
        gone = "This batch is not there any more: it was deleted or kept for its hour. Begin another."
        st.info(gone, icon=":material/info:")
    ask()
else:
    with tools, st.container(horizontal=True, horizontal_alignment="right"):
        if current.over:
            rows, names = current.rows[:], current.options.predictors
            for ending, (name, mime) in FORMATS.items():
                data, file = partial(output.to_bytes, ending, rows, names), f"subtext-batch.{ending}"
                icon = ":material/download:"
                st.download_button(name, data, file, mime, icon=icon, on_click="ignore", disabled=not rows)
            if st.button("Delete and begin another", icon=":material/delete:"):
                JOBS.forget(current)
                del st.query_params["job"]
                st.rerun()
        elif st.button("Stop", icon=":material/stop:"):
            current.stop()
    if not current.over:
        st.caption("It goes on when this page is closed. Its address, which nobody can guess, leads back to it.")
    show(current)
