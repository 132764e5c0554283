"""Plug-ins for fer-audit."""
