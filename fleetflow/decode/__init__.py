"""A toolkit for ping schemas: declare the fields, get a columnar decoder for CSV and JSON."""
