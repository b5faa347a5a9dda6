"""What each operation does: parse, call, return a value. One module per group of the REST reference."""
