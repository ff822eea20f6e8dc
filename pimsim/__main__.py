"""`python -m pimsim`, and the `pimsim` command."""

import sys


def main() -> int:
    """The exit code; Ctrl-C is quiet from the first moment on."""
    try:
        from pimsim.cli import main as run

        return run()
    except KeyboardInterrupt:
        print("pimsim: interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
