"""What several pages use: the analyzer, the visit, ways to give a meme, charts, pictures, escaping."""
