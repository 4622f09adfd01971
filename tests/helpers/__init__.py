"""Factories, fakes and readers that tests share."""
