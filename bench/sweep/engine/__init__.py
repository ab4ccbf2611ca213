"""Where the units of a sweep are measured: in this process, by processes of this machine, or on a Ray cluster."""
