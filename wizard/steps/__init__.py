"""The seven documented steps, one file each, and what puts their changes back.

A change is put back where it is still what this tool wrote.
"""

from __future__ import annotations
