"""Act on the explanation: training that heeds which wavelengths may count, and wavelets learned from attributions."""
