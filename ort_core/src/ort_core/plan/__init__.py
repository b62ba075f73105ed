"""From partitions to a frozen plan of steps over slots."""
