"""How our processes listen: sockets, certificates, uvicorn as a part. The supervisor and the hub share it."""
