"""The health check's findings: a file an area, a function a finding; all of them in areas.py."""
