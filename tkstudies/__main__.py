"""The front door: answers what needs no machinery at once, and leaves the rest to the application."""

import sys

from tkstudies import __version__


def main() -> None:
    """Run the command line in ``sys.argv`` and exit with its code."""
    try:
        if sys.argv[1:] == ["--version"]:
            sys.stdout.write(f"tkstudies {__version__}\n")
            sys.stdout.flush()
            return
        if sys.argv[1:] in (["--help"], []):
            from tkstudies import frontdoor

            sys.stdout.write(frontdoor.help_text())
            sys.stdout.flush()
            sys.exit(0 if sys.argv[1:] else 2)
        from tkstudies import cli

        cli.run()
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)


if __name__ == "__main__":
    main()
