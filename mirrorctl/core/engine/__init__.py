"""Use cases around ports: the view cache, the reconcile pass, the executor and the daemon loop."""
