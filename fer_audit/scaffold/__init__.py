"""What `fer-audit new` writes: working plug-ins to start from, with their tests."""
