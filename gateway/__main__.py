"""Entry point of `python -m gateway` and of the console script `mcp-admission`."""

from gateway.cli import main

__all__ = ["main"]

if __name__ == "__main__":
    main()
