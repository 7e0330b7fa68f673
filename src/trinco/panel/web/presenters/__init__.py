"""What the pages show, worked out from rows that were read before: no queries but where a docstring says so."""
