"""THE `trinco` COMMAND: the only room that wires the others together."""
