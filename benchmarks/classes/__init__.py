"""How well findings are classed: figures, pictures and the page of classes."""
