"""Speed of the parts that users wait for, measured together with the usual alternatives."""
