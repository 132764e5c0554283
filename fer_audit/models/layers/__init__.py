"""Custom Keras layers of the models; importing one imports Keras, so models do it when they are built."""
