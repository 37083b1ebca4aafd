"""``python -m tests.cern``: the fixture server as a process of its own."""

from tests.cern.server import main

main()
