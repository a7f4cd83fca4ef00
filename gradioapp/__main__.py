"""Run the `gradioapp` command, also as `python -m gradioapp`."""

from entrypoints.cli import main

__all__ = ["main"]

if __name__ == "__main__":
    main()
