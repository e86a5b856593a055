"""The last lines of a run: met or missed, by how much, and against what prediction."""

from __future__ import annotations

from rich.text import Text

from catenary.cli.palette import seconds
from catenary.client import Run


def verdict(run: Run) -> Text:
    if run.outcome is None:
        return Text.assemble((f" {run.state} ", "bold"), f"  {seconds(run.e2e_s)} s since its submission")
    if not run.succeeded:
        return _without_success(run)
    if not run.deadline_s:
        return Text.assemble(
            (" DONE ", "bold white on blue"), f"  in {seconds(run.e2e_s)} s; it had no deadline", _against(run)
        )
    spare = run.deadline_s - run.e2e_s
    if run.met:
        badge, margin = (" MET ", "bold black on green"), f"{seconds(spare)} s before"
    else:
        badge, margin = (" MISSED ", "bold white on red"), f"{seconds(-spare)} s after"
    return Text.assemble(
        badge, f"  done in {seconds(run.e2e_s)} s, {margin} its deadline of {seconds(run.deadline_s)} s", _against(run)
    )


def _against(run: Run) -> Text:
    """Prediction against reality, on a line of its own."""
    if run.predicted_s <= 0:
        return Text()
    error = (run.e2e_s / run.predicted_s - 1) * 100
    words = f"{abs(error):.0f} % {'longer' if error >= 0 else 'shorter'}"
    return Text(f"\npredicted {seconds(run.predicted_s)} s, took {seconds(run.e2e_s)} s: {words}", style="dim")


def _without_success(run: Run) -> Text:
    text = Text.assemble((f" {run.outcome} ", "bold white on red"))
    if run.e2e_s:
        text.append(f"  after {seconds(run.e2e_s)} s")
    if run.deadline_s:
        text.append(f"  (deadline {seconds(run.deadline_s)} s)")
    if run.reason:
        text.append(f"\n{run.reason}")
    if run.quote is not None and run.quote.deadline_s:
        quote = f"{seconds(run.quote.deadline_s)} s ({run.quote.probability:.0%} likely)"
        text.append(f"\nthe earliest deadline that could be kept: {quote}")
    return text
