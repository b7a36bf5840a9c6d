"""Rule files, their evaluation, and the first half of the life of an alert: pending, firing, ended."""
