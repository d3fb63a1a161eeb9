"""Disentanglement metrics: pure functions of arrays, as definitions.md defines them."""
