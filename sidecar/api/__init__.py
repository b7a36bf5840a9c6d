"""HTTP, without logic."""
