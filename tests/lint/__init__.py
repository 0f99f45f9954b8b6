"""The lint of the migrations: every rule sees its fault, and our own files pass."""
