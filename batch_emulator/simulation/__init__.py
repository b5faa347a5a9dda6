"""Simulated work: tasks that take their time and exit, without a process."""
