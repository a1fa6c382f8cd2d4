"""The HTTP service: search, feedback, documents, over one engine that can be swapped while it runs."""
