"""The ways to LangSmith's PostgreSQL, one file each; `choose` takes one."""
