"""The second half of the life of an alert: what each channel is told, and when."""
