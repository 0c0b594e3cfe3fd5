"""What the pages draw and ask with, a package for each page and `shared` for all of them."""
