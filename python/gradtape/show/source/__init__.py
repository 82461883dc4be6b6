"""The reverse sweep written out as Python."""
