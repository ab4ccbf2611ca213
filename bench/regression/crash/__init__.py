"""Proof by crash: runs and trainings that are killed, starved or damaged, and must end as if nothing had happened."""
