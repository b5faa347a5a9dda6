"""How each stage asks Azure: one module per Batch stage."""
