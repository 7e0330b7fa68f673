"""Drawings as SVG, without script and without inline style: across in percent, down in pixels, colours by class.

Numbers in attributes are never localised; what people read is. Texts that come from outside are escaped here.
"""
