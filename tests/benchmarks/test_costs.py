"""What docs/batch.md and docs/deploy.md say is worked out from the measured files."""

from __future__ import annotations

import re

from benchmarks.common import render

MEASURED = {
    "score_per_s": 80.0,
    "score_cpu_ms": 15.0,
    "open_cpu_ms": 5.0,
    "ocr_cpu_ms": 230.0,
    "memes": 256.0,
    "batch_1_per_s": 40.0,
    "batch_2_per_s": 60.0,
}


def test_a_million_costs_its_hours() -> None:
    lines = render("costs", measured=MEASURED).splitlines()
    (row,) = [line for line in lines if "AWS" in line]
    cores, dollars = int(re.findall(r"\((\d+) cores\)", row)[0]), float(row.split("|")[2])
    hours = 1e6 * 0.020 / (cores - 1) / 3600  # 20 ms of a core each, one core left to the reader
    assert f"| {hours:,.1f} h, ${hours * dollars:,.2f} |" in row
    billion = re.findall(r"\| ([\d,]+) h, \$([\d,]+)", row)[0]
    assert int(billion[0].replace(",", "")) == round(hours * 1000)
    assert "4.0 with OCR" in lines[-1]


def test_throughput_shows_both_workers_and_leaves_out_what_was_not_measured() -> None:
    lines = render("throughput", measured=MEASURED).splitlines()
    assert "| the command on this machine, captions given | 40.0 | 60.0 |" in lines
    assert "| the same on Ray | – | – |" in lines


def test_memory_has_every_stage() -> None:
    stages = ("python", "started", "loaded", "one", "ten")
    megabytes = {f"{key}_{kind}_mb": 100.4 for key in stages for kind in ("private", "resident")}
    assert render("memory", measured=megabytes).count("| 100 | 100 |") == len(stages)
