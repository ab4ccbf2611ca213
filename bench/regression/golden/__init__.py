"""Published figures, measured again: which are met, which are missed and what could explain it, which need a file."""
