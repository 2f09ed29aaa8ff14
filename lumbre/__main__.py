"""The command: ``python -m lumbre``, or ``lumbre``."""

from lumbre._runner import main

if __name__ == "__main__":
    main()
