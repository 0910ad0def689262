"""promptscan's families beside the topics and clusters of its peers, on the same texts, on the same machine, in one run."""
