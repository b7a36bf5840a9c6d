"""The current value of every live series and its recent samples, in memory."""
