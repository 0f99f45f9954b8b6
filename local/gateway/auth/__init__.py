"""GoTrue's protocol for e-mail and password: users, sessions, access tokens.

routes.py    the endpoints of /auth/v1, and how those it does not have are refused
signup.py    POST /signup; token.py POST /token; account.py /user and /logout
admin.py     /admin/users, for service_role
caller.py    who calls; body.py what they send; errors.py the two forms of a refusal
users.py     rows of auth.users and their JSON; passwords.py their hashes and strength
sessions.py  signing in, refreshing, signing out
config.py    the [auth] part of config.toml; durations.py the durations in it
"""
