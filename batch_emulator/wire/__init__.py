"""The protocol's words: values, envelopes and pages. Knows resources only as plain documents."""
