"""Fits profiles again from the grids that they hold, after a change of the fit.

python loadtest/gpu/refit.py PROFILE.json ...
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from rows import print_table

from catenary.model.profile_point import ProfileRecord
from catenary.policy.profile_fit import fit_profile
from catenary.runtime.wire.profile import load_record_file, save_record_file


def refit(record: ProfileRecord, transport_s: float, iteration_tokens: int) -> ProfileRecord:
    fit = fit_profile(record.profile, record.points, iteration_tokens)
    profile = replace(fit.profile, overhead_s=fit.profile.overhead_s + transport_s)
    return replace(
        record,
        profile=profile,
        points=fit.points,
        residual_median=fit.residual_median,
        residual_p95=fit.residual_p95,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--transport", type=float, default=0.0, help="seconds of a call's way to the worker and back")
    parser.add_argument("--iteration-tokens", type=int, default=8192, help="prompt tokens of one iteration at most")
    args = parser.parse_args()
    table = []
    for path in args.files:
        before = load_record_file(path)
        after = refit(before, args.transport, args.iteration_tokens)
        save_record_file(path, after)
        table.append(
            {
                "profile": path.stem,
                "median before": before.residual_median,
                "after": after.residual_median,
                "p95 before": before.residual_p95,
                "p95 after": after.residual_p95,
                "overhead_ms": after.profile.overhead_s * 1e3,
                "submit_ms": after.profile.submit_s * 1e3,
                "points of the curve": len(after.profile.prefill_curve),
            }
        )
    print_table("relative error over the grid", table)


if __name__ == "__main__":
    main()
