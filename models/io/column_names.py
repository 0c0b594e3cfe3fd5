"""The names under which a user's table may hold the pictures and the words of memes, for batches and for training."""

IMAGE_COLUMNS = ("image", "picture", "file", "filename", "file_name", "image_name", "image_path", "path", "img")
TEXT_COLUMNS = ("caption", "text")
