"""Puts a model that is up under the load of its service objective, with a public client, and says met or missed."""
