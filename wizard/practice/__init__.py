"""The practice cluster: a LangSmith to rehearse on. Nothing outside imports it."""
