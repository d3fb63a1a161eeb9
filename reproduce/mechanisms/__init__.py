"""The literature's own experiments on why axes align, each at a scale for two cores and in full.

One module an experiment, all with the same few members, which are all that
`reproduce.mechanism` knows of them:

- `PROFILES`: its settings by scale: `smoke`, `quick`, `paper`; fixed before any result.
- `chains(settings, output)`: the trainings that it needs.
- `measure(settings, output)`: its table, from the finished trainings.

The columns of the tables are described in `mechanisms.results`.
"""

EXPERIMENTS = (
    "rolinek_table",
    "rolinek_toy",
    "lucas_linear",
    "dorrell_range",
    "korznikov_dictionaries",
    "zietlow",
    "bau_geodesic",
    "szegedy",
    "likelihood",
)
SCALES = ("smoke", "quick", "paper")
