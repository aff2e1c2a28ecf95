"""What runs inside of the measured processes: one module per side of a benchmark."""
