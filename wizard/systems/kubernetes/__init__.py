"""The Kubernetes API: requests, pods, port-forwards, events and the Lease."""
