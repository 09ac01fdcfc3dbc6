"""The values file: two variables are added, and no other byte changes."""
