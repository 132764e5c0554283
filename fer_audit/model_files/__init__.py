"""Models that were trained elsewhere: files of every common format, opened as data and asked alike."""
