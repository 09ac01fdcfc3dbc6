"""The helm CLI: its processes, its answers, its repositories."""
