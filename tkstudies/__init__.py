"""Composable command-line tools for CMS tracker data-certification studies."""

__version__ = "0.1.0"
