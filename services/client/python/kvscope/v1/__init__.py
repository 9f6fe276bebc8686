"""Messages of the cluster's services; written by scripts/generate-python."""
