"""OpenTelemetry's protocol: spans and metrics to a collector. Imported when a collector is configured."""
