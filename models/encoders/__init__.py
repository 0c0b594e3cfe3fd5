"""Pictures and words to tokens: `mini` and open_clip."""
