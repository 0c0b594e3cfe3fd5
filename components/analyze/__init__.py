"""The parts of the page Meme: evidence, attention, emotions, explanation, downloads."""
