"""Attack the kit: ``python tests/campaigns/run.py --rounds full``. What fails is kept in --out."""

import sys

import harness

if __name__ == "__main__":
    sys.exit(harness.main())
