"""Secrets that are none."""

BATCH_TEST_PASSWORD = "Not-a-secret-1"
