"""The ways back: what puts a step's changes back, where they are still what this tool wrote."""
