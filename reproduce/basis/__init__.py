"""Whether a representation's axes are special: families of bases, the test, its statistics."""
