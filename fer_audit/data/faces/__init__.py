"""Finding faces in photographs, and cutting them out alike."""
