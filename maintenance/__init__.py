"""What keeps the catalogue fresh; run by people, imported by nothing."""
