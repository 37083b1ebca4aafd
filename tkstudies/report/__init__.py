"""The page of a study: sections that say what a folder holds (``page``), and how they are written (HTML, Markdown)."""
