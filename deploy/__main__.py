"""``python -m deploy`` is the same program as ``deploy``."""

from deploy.cli import main

if __name__ == "__main__":
    main()
