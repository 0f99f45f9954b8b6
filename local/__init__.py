"""The local stack: Postgres from a wheel, a Supabase gateway and a fake WhatsApp. Never deployed."""
