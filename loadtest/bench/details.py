"""Tables beside the plots: misses by length and tenant and slack by call of each trace, and the limits found."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence

from bench.limits import Limits
from bench.results import Results, missed_by_decile, missed_by_tenant, slack_by_call
from bench.row import quantile

Table = tuple[str, Sequence[str], Sequence[Sequence[str]]]
"""Caption, headings, lines."""

LIMITS = (
    "Limits, simulated: the load at which 99 % of the runs end within twice their own latency, and the smallest "
    "deadlines at load 0.9 (times their own latency, or one in seconds for all)"
)


def trace_tables(results: Results, trace: str) -> Iterator[Table]:
    rows = [(row["system"], results.runs(row)) for row in results.of_trace(trace)]
    tenths = [(system, missed_by_decile(runs)) for system, runs in rows]
    yield (
        f"{trace}: missed %, by tenth of the runs, the shortest first",
        ("system", *map(str, range(1, 11))),
        [(system, *(f"{value:.0f}" for value in values)) for system, values in tenths if values],
    )
    tenants = [(system, missed_by_tenant(runs)) for system, runs in rows]
    names = sorted({name for _, missed in tenants for name in missed})
    yield (
        f"{trace}: missed %, by tenant",
        ("system", *names),
        [(system, *(_shown(missed.get(name), 1) for name in names)) for system, missed in tenants if missed],
    )
    slacks = [(system, slack_by_call(runs)) for system, runs in rows]
    calls = list(dict.fromkeys(call for _, slack in slacks for call in slack))
    yield (
        f"{trace}: slack when a call became ready, s (q10, median, q90)",
        ("system", *calls),
        [(system, *(_spread(slack.get(call, [])) for call in calls)) for system, slack in slacks if slack],
    )


def limits_table(found: Sequence[Limits]) -> Table:
    headings = ("system", "load for 99 %", "x own, 95 %", "x own, 99 %", "s, 95 %", "s, 99 %")
    lines = [
        (
            one.system,
            *(_shown(value, 2) for value in (one.load_99, one.own_95, one.own_99)),
            *(_shown(value, 1) for value in (one.fixed_95_s, one.fixed_99_s)),
        )
        for one in found
    ]
    return LIMITS, headings, lines


def as_html(table: Table) -> str:
    caption, headings, lines = table
    if not lines:
        return ""
    head = "".join(f"<th>{html.escape(name)}</th>" for name in headings)
    body = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in line) + "</tr>\n" for line in lines)
    return f"<h3>{html.escape(caption)}</h3>\n<table><thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table>\n"


def as_markdown(table: Table) -> str:
    caption, headings, lines = table
    if not lines:
        return ""
    grid = [headings, ["---"] * len(headings), *lines]
    return f"\n{caption}:\n\n" + "".join("| " + " | ".join(line) + " |\n" for line in grid)


def _spread(ordered: Sequence[float]) -> str:
    return ", ".join(f"{quantile(ordered, q):.2f}" for q in (0.1, 0.5, 0.9)) if ordered else ""


def _shown(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"
