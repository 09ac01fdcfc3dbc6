"""What a plan is made of, for the walks that make one, compare one or go by one."""
