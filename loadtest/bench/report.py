"""From raw results to what people read: a table, plots, and one page that needs no other file."""

from __future__ import annotations

import base64
import html
from pathlib import Path

from bench.descriptions import DESCRIPTIONS
from bench.details import as_html, as_markdown, limits_table, trace_tables
from bench.limits import read_limits
from bench.plots import of_trace, overview
from bench.results import Results, load_results
from bench.table import html_table, markdown, text

STYLE = """
body { font: 14px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 78rem; padding: 0 1rem; color: #222; }
table { border-collapse: collapse; font-size: 12px; display: block; overflow-x: auto; }
th, td { padding: 3px 8px; border-bottom: 1px solid #ddd; text-align: right; white-space: nowrap; }
th:nth-child(-n+3), td:nth-child(-n+3) { text-align: left; }
tr.saturated td { background: #fde0dd; font-weight: bold; }
p.saturated { background: #b2182b; color: #fff; font-weight: bold; padding: .5rem 1rem; }
dl { display: grid; grid-template-columns: max-content auto; gap: 0 1rem; } dd { margin: 0; } dt { font-weight: bold; }
img { display: block; max-width: 100%; margin: 1rem 0; }
"""
NOTES = (
    "Trace: workflow, load (1.0: what the engines can do), seed. "
    "Missed: refused, failed and late runs, of all that arrived; latency counts from the intended arrival. "
    "Saturated: a core or the machine was busy in more than a tenth of the samples, or the generator was late; "
    "such a row is not about scheduling. Replica seconds: engines that take calls, start or stop. Accelerator seconds: "
    "all that is held, with or without an engine that does."
)


def write_report(folder: Path) -> None:
    """Prints the table; writes ray.md, ray.html and plots/ beside ray.json."""
    results = load_results(folder)
    limits = limits_table(read_limits(folder))
    tables = [limits, *(table for trace in results.traces() for table in trace_tables(results, trace))]
    print(text(results.rows), end="")
    print(f"{_title(results)}. {NOTES}{_mark(results)}")
    details = "".join(map(as_markdown, tables))
    (folder / "ray.md").write_text(f"{_title(results)}\n\n{markdown(results.rows)}\n{NOTES}{_mark(results)}\n{details}")
    (folder / "ray.html").write_text(page(results, as_html(limits)))


def page(results: Results, limits: str) -> str:
    """All there is on one page: the table, what the systems are, and plots and tables of each trace."""
    plots = results.folder / "plots"
    plots.mkdir(parents=True, exist_ok=True)
    traces = "".join(
        f"<h2>{html.escape(trace)}</h2>\n"
        + "".join(map(_image, of_trace(results, trace, plots)))
        + "".join(map(as_html, trace_tables(results, trace)))
        for trace in results.traces()
    )
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><title>Catenary and Ray Serve</title>"
        f"<style>{STYLE}</style>\n<h1>Catenary and Ray Serve on the same emulated engines</h1>\n"
        f"<p>{html.escape(_title(results))}</p>\n{_banner(results)}{html_table(results.rows)}\n"
        f"<p>{html.escape(NOTES)}</p>\n{_systems(results)}{limits}"
        + "".join(map(_image, overview(results, plots)))
        + f"{traces}\n</html>\n"
    )


def _systems(results: Results) -> str:
    used = {row["system"] for row in results.rows}
    lines = [(name, what) for name, what in DESCRIPTIONS.items() if name in used]
    return "<dl>" + "".join(f"<dt>{name}</dt><dd>{html.escape(what)}</dd>\n" for name, what in lines) + "</dl>\n"


def _mark(results: Results) -> str:
    saturated = [f"{row['system']} ({row['trace']})" for row in results.rows if row["saturated"]]
    return f" SATURATED, NOT ABOUT SCHEDULING: {', '.join(saturated)}." if saturated else ""


def _banner(results: Results) -> str:
    mark = _mark(results)
    return f"<p class=saturated>{html.escape(mark.strip())}</p>\n" if mark else ""


def _image(path: Path) -> str:
    name, data = html.escape(path.stem), base64.b64encode(path.read_bytes()).decode()
    return f'<img alt="{name}" src="data:image/png;base64,{data}">\n'


def _title(results: Results) -> str:
    versions = ", ".join(sorted({row["version"] for row in results.rows}))
    about = results.about
    return f"{versions}; {about['machine']}; {about['ended']}; harness at {about['git']}"
