"""Reading the words on a picture: RapidOCR's and EasyOCR's networks."""
