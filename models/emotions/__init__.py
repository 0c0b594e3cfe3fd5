"""Emotions of words, faces, people and photographs."""
