"""The Helm chart, and the scripts that write what of it is made from the rest of the repository."""
