"""GoTrue's protocol for e-mail and password: users, sessions, access tokens.

routes.py    the endpoints of /auth/v1; admin.py those for service_role
users.py     rows of auth.users and their JSON; passwords.py their hashes
sessions.py  signing in, refreshing, signing out
errors.py    the two error forms clients may ask for
"""
