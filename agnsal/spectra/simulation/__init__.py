"""Simulated active galaxies, their population, emission, starlight and the instrument."""
