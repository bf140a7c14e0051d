"""The search engine against its bars, and what others do with the same queries."""
