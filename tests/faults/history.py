"""What a test did, in order; pytest shows it when the test fails and not otherwise."""

import logging

log = logging.getLogger("tests.faults")
log.setLevel(logging.INFO)
