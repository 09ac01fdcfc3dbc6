"""The commands that walk over no steps, one module each."""
