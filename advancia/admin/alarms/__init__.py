"""Alarms, for staff: what is open, what became of the others, and somebody who deals with one."""
