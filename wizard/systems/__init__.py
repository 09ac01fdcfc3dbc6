"""The outside systems, one file each; a system never knows a step."""
