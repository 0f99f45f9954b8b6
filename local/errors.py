"""What can keep the local stack from running; the message is for the person who started it.

StackError
├── PostgresError      no binaries, no rights, a taken port, data of another version
├── ChildError         a process ended, or did not become ready
├── BootstrapChanged   the data directory was made by another version of local/bootstrap
└── MigrationError     a migration or the seed does not apply
"""


class StackError(RuntimeError):
    """The message says why, and what to do."""
