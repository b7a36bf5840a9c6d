"""What is known about the Claude API: errors, prices, streams, rate limits, models. Pure."""
