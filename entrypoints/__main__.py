"""Run the `gradioapp` command as `python -m entrypoints`, without installing it."""

from entrypoints.cli import main

if __name__ == "__main__":
    main()
