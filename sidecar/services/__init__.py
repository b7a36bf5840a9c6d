"""Everything that runs on its own."""
