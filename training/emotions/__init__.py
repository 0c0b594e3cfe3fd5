"""Emotions of sentences, of faces and of photographs."""
