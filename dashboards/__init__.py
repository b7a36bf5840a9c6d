"""Grafana dashboards: `source` is what they are made of, the JSON beside it is what Grafana takes."""
