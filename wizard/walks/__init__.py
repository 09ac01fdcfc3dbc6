"""The walks over the list of steps: run, plan, check."""
