"""What the daemon says of itself: logs, spans, and its numbers to collectors."""
