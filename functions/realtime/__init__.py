"""Following what changes: the Python side of protocol ledger/1.

A broadcast is only a hint; the version of a scope is the truth. `topics` names scopes, `models` are
the shapes on the wire, `ledger` is the state machine of one scope, `subscriber` keeps ledgers true.
"""
