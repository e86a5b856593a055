"""How worker processes are started and stopped: one backend per kind of cluster."""
