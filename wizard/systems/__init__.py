"""The outside systems, one folder each; a system never knows a step."""
