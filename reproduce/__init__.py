"""The steps of the kit, as thin programs, and the pure libraries that they call."""
