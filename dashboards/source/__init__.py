"""The Grafana dashboards, as typed Python: `python dashboards/generate.py` writes them as JSON."""
