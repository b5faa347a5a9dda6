"""What goes wrong on request: faults as data, drawn by a seed."""

from batch_emulator.faults.kinds import Fault
from batch_emulator.faults.notation import document, parse
from batch_emulator.faults.rules import Rule, Rules

__all__ = ["Fault", "Rule", "Rules", "document", "parse"]
