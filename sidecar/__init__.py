"""claude-sidecar: observability and alerting beside an LLM gateway."""
