"""The local stack: Postgres from a wheel, a Supabase gateway, a fake WhatsApp. Never deployed."""
