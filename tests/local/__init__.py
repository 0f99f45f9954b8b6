"""The local stack itself: that it answers like Supabase, and that it survives."""
