"""Whom a sentence speaks of, and what kind of hate it is: the lens `group` and the lens `kind`."""

TARGETS = (
    "women", "gay_people", "trans_people", "black_people", "muslims", "jews", "immigrants", "disabled_people", "asian_people",
    "arabs", "roma", "latino_people", "indigenous_people", "hindus_sikhs", "other",
)  # fmt: skip
KINDS = ("derogation", "animosity", "dehumanizing", "threat")
TITLES = {
    "women": "Women", "gay_people": "Gay people", "trans_people": "Trans people", "black_people": "Black people",
    "muslims": "Muslims", "jews": "Jews", "immigrants": "Immigrants", "disabled_people": "Disabled people",
    "asian_people": "Asian people", "arabs": "Arabs", "roma": "Roma", "latino_people": "Latino people",
    "indigenous_people": "Indigenous people", "hindus_sikhs": "Hindus and Sikhs", "other": "Other groups",
    "derogation": "Derogation", "animosity": "Animosity", "dehumanizing": "Dehumanising", "threat": "Threat",
}  # fmt: skip
"""What pages and tables call each of both."""
