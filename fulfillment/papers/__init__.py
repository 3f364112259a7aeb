"""The papers of a shipment: address label, packing slip and disc faces, from rows to printed PDF.

Rows become frozen content (`reading.py`), content becomes a PDF without any row (`label.py`, `slip.py`, `faces.py`),
and `printing.py` hands it to the label printer. Nothing here runs inside a database transaction.
"""

from fulfillment.papers.printing import print_waiting

__all__ = ["print_waiting"]
