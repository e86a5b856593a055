"""The comparison as a table: text for a terminal, Markdown and HTML."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

HEADINGS = (
    "workflow", "trace", "system", "missed %", "simulated %", "refused %", "good runs/s", "good tokens/s", "p50 s",
    "p90 s", "p99 s", "replica s", "accelerator s", "CPU %", "busiest process", "RSS MB", "mark",
)  # fmt: skip


def cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    simulated = row["simulated_missed"]
    return (
        row["workflow"],
        row["trace"],
        row["system"],
        f"{100 * row['missed']:.1f}",
        "" if simulated is None else f"{100 * simulated:.1f}",
        f"{100 * row['refused']:.1f}",
        f"{row['goodput_per_s']:.2f}",
        f"{row['goodput_tokens_per_s']:.0f}",
        f"{row['p50_s']:.2f}",
        f"{row['p90_s']:.2f}",
        f"{row['p99_s']:.2f}",
        f"{row['replica_seconds']:.0f}",
        f"{row['accelerator_seconds']:.0f}",
        f"{100 * row['cpu_share']:.0f}",
        f"{row['busiest']} {100 * row['busiest_cores']:.0f} %",
        f"{row['rss_mb']:.0f}",
        "SATURATED" if row["saturated"] else "",
    )


def markdown(rows: Sequence[Mapping[str, Any]]) -> str:
    lines = [HEADINGS, tuple("---" for _ in HEADINGS), *(cells(row) for row in rows)]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def text(rows: Sequence[Mapping[str, Any]]) -> str:
    lines = [HEADINGS, *(cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADINGS))]
    padded = ("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)
    return "".join(line.rstrip() + "\n" for line in padded)


def html_table(rows: Sequence[Mapping[str, Any]]) -> str:
    head = "".join(f"<th>{html.escape(name)}</th>" for name in HEADINGS)
    body = "".join(
        f'<tr class="{"saturated" if row["saturated"] else ""}">'
        + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells(row))
        + "</tr>\n"
        for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table>"
