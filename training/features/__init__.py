"""Features that frozen encoders give for whole data sets, computed once and cached on the disk."""
