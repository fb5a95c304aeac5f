"""Tools that keep the catalogue and the generated files up to date. People run them; no other room imports them."""
