"""The program: `python -m gateway`, and the console script `mcp-admission`."""

from gateway.cli import main

__all__ = ["main"]

if __name__ == "__main__":
    main()
