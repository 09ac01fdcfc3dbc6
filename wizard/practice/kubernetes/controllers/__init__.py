"""The controllers of the practice cluster, one file each."""
