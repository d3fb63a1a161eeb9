"""The report's section on whether models are worth testing: what their images show."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

from data.files import load_npz
from reproduce.reporting import figures, gate, names
from reproduce.reporting.seed_results import SeedResult


def rows(trained: Sequence[SeedResult]) -> list[dict[str, Any]]:
    """A row for each run whose images were looked at, for the template.

    Args:
        trained: Results of runs.

    Raises:
        InputError: If a file is damaged.
    """
    found = []
    for result in trained:
        outcome = result.gate()
        if result.run is None or outcome is None:
            continue
        table = gate.measured(result.run)
        assert table is not None
        real, reconstructed, distance = gate.COLUMNS[1:]
        found.append(
            {
                "arm": names.name(result.arm),
                "seed": result.seed,
                "outcome": outcome,
                "factors": [
                    {
                        "name": row["factor"],
                        "real": row[real],
                        "reconstructed": row[reconstructed],
                        "distance": row[distance],
                        "counts": row["factor"] in outcome.counted,
                    }
                    for row in table.to_dict("records")
                ],
                "png": _picture(result),
            }
        )
    return found


def _picture(result: SeedResult) -> str | None:
    """Real images, their reconstructions and samples, as a PNG in base64; None without a file."""
    assert result.run is not None
    if not result.run.quality_images_file.exists():
        return None
    sheets = load_npz(result.run.quality_images_file)
    figure = figures.sample_sheet(sheets, num_columns=16)
    return base64.b64encode(figures.to_png(figure)).decode()
