"""How the tests run."""


def is_live_and_not_recording() -> bool:
    """Always: each request goes to the emulator as it is."""
    return True
