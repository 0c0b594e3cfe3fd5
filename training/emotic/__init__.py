"""Emotions of people in photographs, trained on EMOTIC (`fit joint_emotic`)."""
