"""Reading the audit log: what is asked for, windows and their chains, following, counting."""
