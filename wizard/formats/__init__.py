"""Results on standard output, a format each."""
