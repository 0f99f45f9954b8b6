"""The command line: `python -m functions.cli`, or ./recado in the repository. See docs/cli.md.

Each file holds the commands of one thing and has an `add(commands)`; __main__.py lists them. A
command is one async function that gets a Call. It talks to the project over HTTP alone.
"""
