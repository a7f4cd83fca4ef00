"""`python -m entrypoints`: the `gradioapp` command without its installation."""

from entrypoints.cli import main

if __name__ == "__main__":
    main()
