"""``python -m tests.cernserver``: the older name of ``python -m tests.cern``."""

from tests.cern.server import main

if __name__ == "__main__":
    main()
