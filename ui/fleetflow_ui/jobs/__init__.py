"""The page of the jobs: what is known of them, how it is drawn, and what can be done."""
