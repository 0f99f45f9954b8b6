"""The tests: files are named after guarantees, in the same rooms as the code."""
