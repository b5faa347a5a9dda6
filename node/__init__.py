"""What runs on a Batch node: standard library only, nothing else of the project."""
