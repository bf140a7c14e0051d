"""Search quality of the engine against target figures, and of other methods on the same queries."""
