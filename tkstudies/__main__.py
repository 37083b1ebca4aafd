"""The front door: answers what needs no machinery at once, and leaves the rest to the application."""

import os
import sys

from tkstudies import __version__


def main() -> None:
    """Run the command line in ``sys.argv`` and exit with its code."""
    arguments = sys.argv[1:]
    completing = "_TKSTUDIES_COMPLETE" in os.environ  # the shell asks, with no arguments
    try:
        if arguments == ["--version"]:
            _answer(f"tkstudies {__version__}\n")
        elif arguments in (["--help"], []) and not completing:
            from tkstudies import frontdoor

            _answer(frontdoor.help_text())
            sys.exit(0 if arguments else 2)
        else:
            from tkstudies import cli

            cli.run()
    except KeyboardInterrupt as error:
        sys.exit(getattr(error, "exit_code", 130))


def _answer(text: str) -> None:
    """Write to standard output; nobody who listens is no failure, a full disk is one."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except (OSError, AttributeError, ValueError) as error:
        if sys.stdout is not None:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            sys.exit(0)
        if sys.stderr is not None:
            reason = getattr(error, "strerror", None) or "it is closed"
            sys.stderr.write(f"tkstudies: standard output: can't be written: {reason}\n")
        sys.exit(1)


if __name__ == "__main__":
    main()
