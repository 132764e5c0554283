"""The plug-ins that `fer-audit new` copies under other names, with their tests: a folder that works as it is."""
