"""`python -m trinco` is the `trinco` command."""

from trinco.cli.main import main

if __name__ == "__main__":
    main()
