"""Layouts that are known by signatures of their own."""
