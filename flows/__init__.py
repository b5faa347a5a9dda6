"""What happens, in order: the Prefect flows."""
