"""Child programs: plainly written trainings, without a line about search in them."""
