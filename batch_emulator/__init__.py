"""The Azure Batch data plane on localhost; imports nothing else of the project."""
