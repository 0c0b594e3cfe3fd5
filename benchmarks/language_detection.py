"""Which library tells the language of short captions, by how many words, and how much of English is wrongly left to a person?

    pip install lingua-language-detector==2.1.1 django
    python -m benchmarks.language_detection --data DATA --json benchmarks/results/language_detection.json

`ours` is what the app runs (`models/io/language.py`): py3langid among the languages of the script, with English commoner. Beside
it stand py3langid as it comes, and lingua in its small mode, as it comes and among the same languages; and lingua's large models.
An answer below `SURE` is none. Captions are validation rows in nine languages (without CONAN, whose French and Italian rows hold
English translations, and Hindi rows without its script), our templates in Dutch, Polish and romanised Hindi, and, as
languages that no model here was measured on, the interface texts of Django's translations. Short ones are cut out of long ones
too. Memory and size are those of a process of its own; a library that is not installed is left out.
"""

import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from importlib import metadata, util
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.common import ROOT, options, report
from benchmarks.language_samples import ELEVEN, MEMES, ROMANISED, Sample, all_samples
from models.io.captions import normalize
from models.io.language import NO_WORDS, SCRIPTS, SURE, UNDETERMINED, detect, script_of, unmeasured
from models.runtime.once import once
from training.metrics.intervals import wilson_interval

PER_SOURCE = 700  # captions
Answer = tuple[str, float]
MEASURE = """
import psutil, sys
sys.path.insert(0, {root!r})
import numpy
from benchmarks import language_detection
before = psutil.Process().memory_full_info().uss
answer = language_detection.contenders()[{name!r}]
for text in language_detection.WARM_UP:
    answer(text)
print((psutil.Process().memory_full_info().uss - before) / 1024**2)
"""
WARM_UP = (
    "When you find the last piece of cake in the fridge",
    "Der Nachbar backt am Sonntag wieder Kuchen",
    "Mój kot śpi przez cały dzień",
    "Моя кошка спит целый день",
    "قطتي تنام طوال النهار",
    "मेरी बिल्ली सारा दिन सोती है",
    "我的猫整天睡觉",
)


def main() -> None:
    """Measure and report."""
    parser = options(__doc__, data=True)
    parser.add_argument(
        "--limit", type=int, default=PER_SOURCE, help=f"captions of each source (default: {PER_SOURCE})"
    )
    args = parser.parse_args()
    samples = [sample for sample in all_samples(args.data, args.limit) if sample.words]
    metrics: dict[str, Any] = {}
    for name, answer in contenders().items():
        answers, milliseconds = timed(answer, samples)
        metrics[name] = {
            "ms_per_caption": round(milliseconds, 3),
            "private_mb": private_mb(name),
            "installed_mb": installed_mb("py3langid" if "lingua" not in name else "lingua-language-detector"),
            **accuracy(samples, answers),
        }
    metrics["left to a person"] = left_to_a_person(samples)
    report(metrics, args.json)


def contenders() -> dict[str, Callable[[str], Answer]]:
    """What takes a caption and gives an ISO 639-1 code with its probability."""
    from py3langid import langid

    whole = once(lambda: langid.LanguageIdentifier.from_model_file(langid.MODEL_FILE, norm_probs=True))
    named: dict[str, Callable[[str], Answer]] = {"ours": _ours, "py3langid": lambda text: whole().classify(text)}
    if util.find_spec("lingua") is None:
        print("lingua-language-detector is not installed: it is left out.", file=sys.stderr)
        return named
    return named | {"lingua, small": _lingua(), "lingua, small, by script": _by_script(), "lingua": _lingua(large=True)}


def _ours(text: str) -> Answer:
    detected = detect(text)
    return detected.code, 0.0 if detected.code == UNDETERMINED else detected.probability or 1.0


def _lingua(codes: Collection[str] = (), *, large: bool = False) -> Callable[[str], Answer]:
    from lingua import IsoCode639_1, LanguageDetectorBuilder

    iso = [getattr(IsoCode639_1, {"no": "nb"}.get(code, code).upper(), None) for code in codes]
    chosen = [code for code in iso if code is not None]
    builder = (
        LanguageDetectorBuilder.from_iso_codes_639_1(*chosen)
        if chosen
        else LanguageDetectorBuilder.from_all_languages()
    )
    detector = (builder if large else builder.with_low_accuracy_mode()).build()

    def answer(text: str) -> Answer:
        likeliest = detector.compute_language_confidence_values(text)[0]
        code = likeliest.language.iso_code_639_1.name.lower()
        return {"nb": "no", "nn": "no"}.get(code, code), likeliest.value

    return answer


def _by_script() -> Callable[[str], Answer]:
    """Lingua's small models in the place of py3langid's, among the same languages."""
    detectors = {script: _lingua(names) for script, names in SCRIPTS.items() if len(names) > 1}

    def answer(text: str) -> Answer:
        shown = NO_WORDS.sub(" ", normalize(text).text)
        script = script_of(shown)
        codes = list(SCRIPTS.get(script, (UNDETERMINED,)))
        return detectors[script](shown) if script in detectors else (codes[0], 1.0)

    return answer


def timed(answer: Callable[[str], Answer], samples: Sequence[Sample]) -> tuple[list[str], float]:
    """The sure answers, and milliseconds of the processor for each caption."""
    for text in WARM_UP:
        answer(text)
    start = time.process_time()
    answers = [answer(sample.text) for sample in samples]
    milliseconds = (time.process_time() - start) * 1000 / len(samples)
    return [code if probability >= SURE else UNDETERMINED for code, probability in answers], milliseconds


def accuracy(samples: Sequence[Sample], answers: Sequence[str]) -> dict[str, dict[str, float]]:
    """How many answers are right and how many wrong, by language and length, by length over languages, and by writing."""
    groups: defaultdict[str, list[tuple[bool, bool]]] = defaultdict(list)
    for sample, code in zip(samples, answers, strict=True):
        outcome = code == sample.language, code not in (sample.language, UNDETERMINED)
        kind = "other languages" if sample.source == "django" else sample.language
        if sample.written:
            groups[sample.written].append(outcome)
        elif sample.language != ROMANISED:
            groups[f"{kind}, {sample.length}"].append(outcome)
            groups[f"all, {sample.length}" if sample.source != "django" else ""].append(outcome)
            groups["memes' captions" if sample.source in MEMES else ""].append(outcome)
    return {name: _shares(outcomes) for name, outcomes in sorted(groups.items()) if name}


def _shares(outcomes: Sequence[tuple[bool, bool]]) -> dict[str, float]:
    right, wrong = (sum(column) for column in zip(*outcomes, strict=True))
    low, high = wilson_interval(right, len(outcomes))
    shares = {"right": right / len(outcomes), "right_low": low, "right_high": high, "wrong": wrong / len(outcomes)}
    return {"rows": len(outcomes), **{name: round(share, 4) for name, share in shares.items()}}


def left_to_a_person(samples: Sequence[Sample]) -> dict[str, dict[str, float]]:
    """The share of captions whose verdict a person has to give, by a model measured on English alone and by one on eleven."""
    groups: defaultdict[str, list[tuple[bool, bool]]] = defaultdict(list)
    for sample in samples:
        if sample.written:
            continue
        detected = detect(sample.text)
        gated = bool(unmeasured(detected, ("en",))), bool(unmeasured(detected, ELEVEN))
        kind = "other languages" if sample.source == "django" else sample.language
        groups[f"{kind}, 2 words and more" if sample.words > 1 else ""].append(gated)
        groups[f"{kind}, {sample.length}"].append(gated)
        groups["memes' captions" if sample.source in MEMES else ""].append(gated)
    return {
        name: {
            "rows": len(gated),
            "measured_on_english": round(sum(english for english, _ in gated) / len(gated), 4),
            "measured_on_eleven": round(sum(eleven for _, eleven in gated) / len(gated), 4),
        }
        for name, gated in sorted(groups.items())
        if name
    }


def private_mb(name: str) -> float:
    """Private memory that the contender takes in a process of its own, after a few captions in several scripts."""
    code = MEASURE.format(root=str(ROOT), name=name)
    command = [sys.executable, "-c", code]
    run = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, encoding="utf-8", check=True)
    return round(float(run.stdout), 1)


def installed_mb(distribution: str) -> float:
    """Size of a distribution's files."""
    files = metadata.files(distribution) or []
    sizes = [Path(str(file.locate())).stat().st_size for file in files if Path(str(file.locate())).is_file()]
    return round(sum(sizes) / 1024**2, 1)


if __name__ == "__main__":
    main()
