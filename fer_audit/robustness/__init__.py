"""What a trained network withstands: corrupted images, adversarial images, and other images in its batch."""
