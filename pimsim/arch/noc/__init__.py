"""Networks-on-chip: packets with contention on every link."""
