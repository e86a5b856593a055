"""Profiles as tables for the terminal."""

from __future__ import annotations

from collections.abc import Iterable

from rich.box import SIMPLE_HEAD
from rich.table import Table

from catenary.model.sizes import GIB
from catenary.v1 import profile_pb2

_COEFFICIENTS = (
    ("prefill, each prompt", "prefill_base_s", 1e3, "ms"),
    ("prefill, each token", "prefill_token_s", 1e6, "µs"),
    ("prefill, each token²", "prefill_token2_s", 1e9, "ns"),
    ("step", "step_base_s", 1e3, "ms"),
    ("step, each sequence", "step_seq_s", 1e3, "ms"),
    ("step, each context token", "step_context_s", 1e6, "µs"),
    ("call, besides", "overhead_s", 1e3, "ms"),
    ("call, after another", "submit_s", 1e3, "ms"),
)


def grid_table(profile: profile_pb2.Profile) -> Table:
    """What was measured beside what the fit says, in milliseconds."""
    table = Table(
        "point",
        box=SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
        title=f"{profile.model} on {profile.accelerator}, {profile.engine}; milliseconds",
        title_justify="left",
    )
    for name in ("batch", "prompt", "output", "repeats", "steps", "measured", "fitted", "error"):
        table.add_column(name, justify="right")
    for point in profile.points:
        error = (point.fitted_s - point.measured_s) / point.measured_s if point.measured_s else 0.0
        counts = (point.batch, point.prompt_tokens, point.output_tokens, point.repeats, max(1, point.steps))
        times = (f"{point.measured_s * 1e3:.2f}", f"{point.fitted_s * 1e3:.2f}", f"{error:+.1%}")
        table.add_row(point.kind, *map(str, counts), *times)
    return table


def coefficients_table(profile: profile_pb2.Profile) -> Table:
    """The fitted model, its residuals and the memory figures; unknown ones are left out."""
    table = Table("figure", box=SIMPLE_HEAD, show_header=False)
    table.add_column("value", justify="right")
    for label, name, scale, unit in _COEFFICIENTS:
        table.add_row(label, f"{getattr(profile, name) * scale:.4g} {unit}")
    for cost in profile.prefill_curve:
        table.add_row(f"prefill, {cost.tokens:g} tokens in a step", f"{cost.seconds * 1e3:.4g} ms")
    table.add_row("error, median", f"{profile.residual_median:.1%}")
    table.add_row("error, 95th percentile", f"{profile.residual_p95:.1%}")
    for label, value in _sizes(profile):
        table.add_row(label, value)
    return table


def _sizes(profile: profile_pb2.Profile) -> Iterable[tuple[str, str]]:
    if profile.start_s:
        yield "cold start", f"{profile.start_s:.1f} s"
    for label, seconds in (
        ("first sleep", profile.first_sleep_s),
        ("sleep", profile.sleep_s),
        ("wake", profile.wake_s),
        ("wake, weights read again", profile.reload_s),
        ("weights from disk", profile.prefetch_s),
        ("switch (sleep and wake)", profile.sleep_s + profile.wake_s),
    ):
        if seconds:
            yield label, f"{seconds:.2f} s"
    if profile.sharing_loss:
        yield "slower by, for each busy neighbour", f"{profile.sharing_loss:.0%}"
    for label, size in (("weights", profile.weights_bytes), ("peak memory", profile.peak_bytes)):
        if size:
            yield label, f"{size / GIB:.2f} GiB"
    if profile.kv_capacity_tokens:
        yield "KV cache", f"{profile.kv_capacity_tokens} tokens"
    if profile.kv_bytes_per_token:
        yield "KV, each token", f"{profile.kv_bytes_per_token} bytes"


def profiles_table(profiles: Iterable[profile_pb2.Profile], now_unix_s: float) -> Table:
    """One line a profile: where it holds, how old it is, prefill of a token, the step of a full batch without context,
    how far its fit and, over the last finished calls, its predictions are off, and the online correction."""
    table = Table(box=None, pad_edge=False)
    table.add_column("model", min_width=5, overflow="fold")
    table.add_column("accelerator, engine", max_width=40)
    table.add_column("origin", min_width=10)
    for name in ("age", "µs per\ntoken", "step\nms", "fit\nerror", "online\nerror", "factor"):
        table.add_column(name, justify="right", no_wrap=True, min_width=5)
    for profile in profiles:
        step_s = profile.step_base_s + profile.step_seq_s * profile.max_num_seqs
        table.add_row(
            profile.model,
            f"{profile.accelerator}, {profile.engine}",
            f"{profile.origin} {profile.version or ''}".strip(),
            age(now_unix_s - profile.measure_time.ToMicroseconds() / 1e6) if profile.HasField("measure_time") else "-",
            f"{profile.prefill_token_s * 1e6:.4g}",
            f"{step_s * 1e3:.4g}",
            f"{profile.residual_median:.1%}",
            f"{profile.online_error:.1%}" if profile.online_calls else "-",
            f"{profile.correction:.2f}",
        )
    return table


def age(seconds: float) -> str:
    """In the largest unit that is at least one: 45 s, 12 min, 3 h, 8 days."""
    for unit, size_s in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size_s:
            return f"{seconds / size_s:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"
