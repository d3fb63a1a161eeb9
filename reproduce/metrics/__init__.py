"""Disentanglement metrics: pure functions of arrays, each beside its source."""
