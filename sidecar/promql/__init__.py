"""PromQL over recent samples: compiled once, evaluated often. Prometheus 3.x semantics, float samples only."""
