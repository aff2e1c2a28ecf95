"""Weight-sharing search: one supernet instead of many trials. Its algorithms go here."""
