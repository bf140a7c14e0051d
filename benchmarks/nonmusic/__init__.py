"""Queries that are not music, or too little of it: searches with them must find nothing."""
