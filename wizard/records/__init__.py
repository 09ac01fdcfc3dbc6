"""What is kept or shown of a run: findings, plans, the journal."""
