"""Whether a decoder's axes are special: traversals, predicted factors, purity and its test."""
