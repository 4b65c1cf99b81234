"""Chromium through Playwright: the only package that knows either."""
