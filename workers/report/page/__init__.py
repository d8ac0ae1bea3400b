"""Template, style and script of the HTML report. A package, so that they are shipped with the code."""
