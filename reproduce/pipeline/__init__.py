"""Many programs as one job: profiles, chains, executors, sweeps."""
