"""A worker process: started by the supervisor as `python -m gateway.supervisor CONTROL LISTENER`."""

from gateway.app import worker
from gateway.supervisor.worker_main import main

if __name__ == "__main__":
    main(worker)
