"""What comes in and goes out: pictures, captions, archives, downloads, rows."""
