"""`python -m pruning_ext.cli` is `pruning-ext`."""

import sys

from pruning_ext.cli import main

sys.exit(main())
