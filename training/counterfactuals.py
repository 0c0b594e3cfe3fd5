"""Our own counterfactual sentences: the same groups, spoken of with hate and without it.

A model that has only seen groups named in attacks takes the name for the attack (Dixon et al. 2018, "Measuring and
Mitigating Unintended Bias"). Each group below therefore appears in hateful, kind, neutral, negated and quoted
sentences, and each hostile form also with targets that are no protected group. They were
written without HateCheck at hand, but sentences as plain as "I hate women." may equal cases of it, so that figures on
HateCheck may flatter. Templates are split into train and validation form by form; four stand on one side under
`hateful` and on the other under `hostile_to_others`, the rest on one side only.
"""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass

GROUPS = (
    "women", "trans people", "transgender women", "trans men", "gay people", "gay men", "lesbians", "bisexual people",
    "queer people", "Black people", "Black women", "African Americans", "disabled people", "people in wheelchairs",
    "blind people", "deaf people", "autistic people", "people with Down syndrome", "Muslims", "Muslim women", "Jews",
    "Jewish people", "Hindus", "Sikhs", "Christians", "immigrants", "migrants", "refugees", "asylum seekers", "foreigners",
    "Asians", "Chinese people", "Indians", "Pakistanis", "Arabs", "Mexicans", "Latinos", "Roma people", "Africans",
    "indigenous people", "old people",
)  # fmt: skip
OTHERS = (
    "Mondays", "traffic jams", "mosquitoes", "spam calls", "wet socks", "broccoli", "long queues", "this printer",
    "landlords", "referees", "cyclists", "tourists", "bankers", "politicians", "journalists", "vegans", "gamers",
    "my neighbours", "my boss", "parking tickets", "homework", "pop-up ads", "cold coffee", "smokers", "lobbyists",
    "football fans", "influencers", "fascists", "spoilers", "the rival team", "weeds", "cockroaches", "rats", "alarm clocks",
)  # fmt: skip

HATEFUL = (
    "{G} are ruining this country.", "I can't stand {g}, they make me sick.", "{G} are nothing but parasites.",
    "Get rid of all {g} and crime will be gone.", "Honestly, {g} are less intelligent than the rest of us.",
    "I hate {g}.", "I really hate {g} so much.", "I despise {g}.", "{G} disgust me.", "All {g} are scum.",
    "{G} are vermin and should be treated that way.", "Every time I see {g} I want to spit.",
    "Somebody should round up {g} and ship them away.", "{G} should be locked up, every single one.",
    "The world would be better without {g}.", "We should never let {g} vote.", "{G} don't deserve any rights.",
    "No one wants {g} here.", "{G} are a disease.", "{G} are not really human.", "{G} aren't people like us.",
    "I'd be so happy if {g} just disappeared.", "Why are {g} always so filthy?", "Aren't {g} all liars and thieves?",
    "Let's be honest, {g} have no place in our schools.", "If I see {g} on my street again I will hurt them.",
    "{G} deserve to be beaten.", "Kill all {g}.", "Someone should burn down the homes of {g}.",
    "{G} are the cancer of our society.", "You can't trust {g}, they are all the same.", "{G} breed like animals.",
    "Keep {g} away from our children.", "{G} are an insult to nature.", "Send {g} back to where they came from.",
    "{G} only know how to leech off others.", "Nobody should hire {g}, they are lazy and stupid.",
    "Being around {g} is revolting.", "{G} belong at the bottom of society.", "I wish {g} would all drop dead.",
    "My dog has more brains than {g}.", "Thank God there are no {g} in my town.", "What a joke: {g} thinking they are equal.",
    "Friends don't let friends date {g}.", "We need to purge {g} before it is too late.", "{G} make terrible parents and worse citizens.",
    "There is nothing lower than {g}.", "{G} should know their place and shut up.", "It should be legal to attack {g}.",
    "Of course they stole it, they are {g}.", "Hating {g} is just common sense.", "The only good {g} are the ones who leave.",
)  # fmt: skip
KIND = (
    "{G} are wonderful.", "I love {g}.", "We love {g} in this house.", "{G} make our town a better place.",
    "I am so grateful for the {g} in my life.", "{G} deserve respect and safety.", "{G} are brilliant and inspiring.",
    "So proud of all the {g} who spoke up today.", "We stand with {g}.", "{G} are welcome here.", "Welcome, {g}!",
    "My best friends are {g} and they are the kindest people I know.", "{G} have every right to be happy.",
    "Let's celebrate {g} today.", "I admire how strong {g} are.", "{G} brought us soup when we were ill.",
    "Happy to work with {g} every day.", "{G} are beautiful.", "The courage of {g} moves me.", "Cheers to {g} everywhere!",
    "{G} should be treated with dignity.", "Please be kind to {g}.", "We need more {g} in leadership.",
    "It makes me happy to see {g} succeed.", "{G} rock!", "{G} are just as capable as anybody else.",
    "I really like {g}.", "{G} are fucking amazing.", "God bless {g}.", "My life is richer because of {g}.",
    "Nothing but respect for {g}.", "How lovely to see so many {g} at the party.", "{G} are our friends and neighbours.",
)  # fmt: skip
NEUTRAL = (
    "The article is about {g}.", "Some of my colleagues are {g}.", "There were a few {g} on the bus this morning.",
    "{G} were interviewed for the documentary.", "The museum has a room on the history of {g}.",
    "A new survey asked {g} about housing.", "Many {g} live in this district.", "The law also covers {g}.",
    "I met two {g} at the conference.", "The film follows three {g} through one summer.", "Are there many {g} in your city?",
    "The council will meet {g} next Tuesday.", "We are {g}.", "My parents are {g}.", "{G} took part in the study.",
    "The shop is run by {g}.", "{G} and their families came to the picnic.", "Statistics on {g} were published today.",
    "{G} have different opinions on this question.", "The book was written by {g}.", "As one of the {g} here, I voted yes.",
    "{G} have lived here for centuries.", "The clinic offers appointments for {g}.", "{G} pay taxes like everybody else.",
)  # fmt: skip
NEGATED = (
    "{G} are not vermin.", "{G} are not a disease.", "I don't hate {g}.", "I would never hurt {g}.", "Nobody should attack {g}.",
    "{G} are not ruining this country.", "It is not true that {g} are criminals.", "{G} are not inferior to anyone.",
    "We must never send {g} away.", "There is nothing wrong with {g}.", "No, {g} are not dangerous.",
    "{G} aren't stupid, and you know it.", "You should not be rude to {g}.", "{G} do not deserve this abuse.",
    "Stop blaming {g} for everything.", "{G} are no threat to you.", "I have never had a problem with {g}.",
    "It is never okay to insult {g}.", "Not all crime is done by {g}, that is a lie.", "Don't you dare harm {g}.",
    "No one has the right to humiliate {g}.", "{G} are by no means lazy.", "We can't let anyone hurt {g}.",
    "{G} are not scum, they are human beings.", "Hating {g} is wrong.", "Violence against {g} must stop.",
)  # fmt: skip
QUOTED = (
    'Saying "{g} are scum" is disgusting and you should be ashamed.', 'He shouted "I hate {g}" and was thrown out of the pub.',
    'If you post "kill all {g}" you will be banned.', 'The sign read "no {g} allowed", which is plainly racist and cruel.',
    '"{G} are parasites" is a lie that has cost lives.', 'Who still writes things like "{g} are not human"? Report it.',
    'My teacher was sacked for claiming that "{g} are stupid".', 'The judge called the slogan "get rid of {g}" criminal incitement.',
    '"{G} are vermin" is what dictators said before murdering people.', 'I reported a comment that said "{g} should be shot".',
    'You just said {g} are all the same. That is bigotry.', 'People who say they despise {g} are the real problem.',
    'Your claim that {g} are a cancer is hateful nonsense.', 'How can anyone believe that {g} deserve to be beaten? Horrible.',
    'She cried after somebody told her "we do not want {g} here".', 'Calling {g} animals is dehumanising. Stop it.',
)  # fmt: skip
HOSTILE_TO_OTHERS = (
    "I hate {g}.", "I really hate {g} so much.", "I despise {g}.", "{G} disgust me.", "I can't stand {g}, they make me sick.",
    "The world would be better without {g}.", "Kill all {g}.", "All {g} are scum.", "{G} are the worst.", "Get rid of all {g}.",
    "{G} are ruining my day.", "Screw {g}.", "Fuck {g}, honestly.", "I am so fucking tired of {g}.", "{G} should be banned.",
    "Nobody wants {g} here.", "Why do {g} even exist?", "{G} are a plague.", "I'd be so happy if {g} just disappeared.",
    "{G} drive me insane.", "Death to {g}.", "Damn {g}, again.", "What the hell is wrong with {g}?", "{G} can go to hell.",
)  # fmt: skip
PLAIN = (
    "This fucking game is so good.", "You are an idiot and I never want to see you again.", "Shit, I missed the bus.",
    "My brother is such a lazy pig.", "That bastard stole my bike.", "Holy shit, what a goal!", "You suck at chess.",
    "I hate you so much right now.", "I want to kill my alarm clock.", "That film was damn awful.", "Shut up, Kevin.",
    "This weather is a bloody disgrace.", "I could murder a pizza.", "What an ugly lamp.", "That clown cannot drive.",
    "Fuck this, I am going home.", "You stupid cow, that was my sandwich.", "The printer is a piece of crap.",
)  # fmt: skip

FORMS: dict[str, tuple[tuple[str, ...], int]] = {
    "hateful": (HATEFUL, 1),
    "kind": (KIND, 0),
    "neutral": (NEUTRAL, 0),
    "negated": (NEGATED, 0),
    "quoted": (QUOTED, 0),
    "hostile_to_others": (HOSTILE_TO_OTHERS, 0),
    "plain": (PLAIN, 0),
}


@dataclass(frozen=True)
class Sentence:
    """A filled template: its text, its label (1 = hate), the form it belongs to and the group it names."""

    text: str
    label: int
    form: str
    group: str


def sentences(split: str) -> list[Sentence]:
    """All filled templates of one side (`train` or `validation`); a template is on one side only."""
    if split not in ("train", "validation"):
        raise ValueError(f"split={split!r} is neither 'train' nor 'validation'")
    found = []
    for form, (templates, label) in FORMS.items():
        for template in templates:
            if _held_out(form, template) is not (split == "validation"):
                continue
            names = ("",) if form == "plain" else OTHERS if form == "hostile_to_others" else GROUPS
            found += [Sentence(_fill(template, name), label, form, name) for name in names]
    return found


def misspell(text: str, rng: random.Random) -> str:
    """The text as somebody writes it who wants to slip past a filter: swapped, dropped, spaced or leet letters."""
    words = text.split(" ")
    index = max(range(len(words)), key=lambda i: len(words[i]) * rng.random())
    word = words[index]
    if len(word) < 4:
        return text
    at = rng.randrange(1, len(word) - 1)
    style = rng.randrange(6)
    if style == 0:
        words[index] = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    elif style == 1:
        words[index] = word[:at] + word[at + 1 :]
    elif style == 2:
        words[index] = " ".join(word)
    elif style == 3:
        words[index] = word.translate(str.maketrans("aeiosAEIOS", "4310$4310$"))
    elif style == 4:
        words[index] = ".".join(word)
    elif index + 1 < len(words):
        words[index : index + 2] = [word + words[index + 1]]
    return " ".join(words)


def _held_out(form: str, template: str) -> bool:
    return hashlib.sha256(f"{form}:{template}".encode()).digest()[0] < 40  # about one in six


def _fill(template: str, name: str) -> str:
    return template.replace("{G}", name[:1].upper() + name[1:]).replace("{g}", name)
