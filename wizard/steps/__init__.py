"""The seven documented steps, one file each."""
