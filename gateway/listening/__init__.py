"""Listeners of the supervisor, the workers and the hub: sockets, certificates, and uvicorn as a component."""
