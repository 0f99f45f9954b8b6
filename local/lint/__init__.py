"""What hosted Supabase would refuse or regret in our migrations, and a local database hides.

`statements`, `writes` and `declarations` read the SQL text (see `migration`). `catalog` asks a
migrated database, which knows grants and settings better than any text. `advisors` runs Supabase's
own lints on it. `python -m local.lint` does all three.
"""
