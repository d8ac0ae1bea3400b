"""`python -m orchestration.stack`: fetch what the embedded Kafka needs ahead of its first start."""

import sys

from orchestration.errors import MissingProgramError
from orchestration.stack.java import ensure_jars, find_java

try:
    find_java()
    sys.stdout.write(f"{ensure_jars()}\n")
except MissingProgramError as error:
    sys.exit(str(error))
