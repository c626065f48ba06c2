"""A seeded grammar of announcer sentences over a closed vocabulary.

Closed, because a small text-to-speech model learns only words that it has heard often (in every kind of
neighbourhood); the sentences are therefore drawn so that rare words come up as often as the grammar allows.
"""

from __future__ import annotations

import re
from collections import Counter

import numpy as np

# A rule is a list of alternatives separated by "|"; {name} stands for an alternative of another rule.
_RULES = {
    "sentence": """{core}|{core}|{core}|{core}, {rank}|{rank}, {core}|{greeting}|{hail}, {remark}
        |{remark}, my friend""",
    "core": """{danger}|{danger}|{mission}|{mission}|{mission}|{machine}|{machine}|{number}|{number}|{colour}
        |{colour}|{direction}|{direction}|{team}|{team}|{countdown}|{sound}|{sound}|{sound}""",
    "who": "captain|commander|pilot|doctor|my friend",
    "rank": "captain|commander|pilot|doctor",
    "danger": """{alarm}, enemy {force} incoming from the {compass}|{alarm}, the {hot} is {bad}
        |{alarm}, {force} near the {place}|{alarm}, {force} at {gateway} {any}|{alarm}, the {place} is on fire
        |protect the {place} from the {creature}|the {creature} is coming from the {compass}
        |the {creature} is {mood}, {flee}|enemy {force} near the {hue} {place}|{many} enemy {force} remaining
        |the {hot} is {bad}, {flee}|there is a {creature} in the {place}|{alarm}, leave the {place}
        |{alarm}, {creature} at the {gateway}|hide in the {place}, {flee}""",
    "alarm": "warning|attention|alert|danger",
    "force": "ships|soldiers|robots|dragons",
    "creature": "dragon|robot|monster",
    "mood": "here|near|lost",
    "hot": "reactor|engine|shield",
    "bad": "critical|low|too hot|offline|broken",
    "flee": "run|leave now|stay calm|hide",
    "mission": """mission {any} {outcome}|mission {outcome}, return to the {place}
        |your mission is to {order} the {place}|find the {hue} {item}|bring the {item} to the {place}
        |take the {item} and {flee}|we need more {supply}|you found the {item}|player {any} found the {item}
        |the {item} is in the {place}|the {item} is lost|we need your help at the {place}
        |{order} the {place} {daytime}|we have no more {supply}|new mission, {order} the {place}
        |the new {item} is {hue}|the {supply} is in the {place}|take {supply} to the {place}
        |{supply} is low at the {place}|return to the {hue} {place}""",
    "outcome": "complete|failed|is complete",
    "order": "attack|protect|find|destroy",
    "place": "bridge|tower|city|castle|station|forest|river",
    "item": "key|map|sword|crystal|box",
    "supply": "power|water|food|gold",
    "machine": """the {gateway} is {state}|{latch} the {gateway}, please|please {latch} the {gateway}
        |{latch} {gateway} {any}|{gateway} {any} is {state}|{latch} the {hue} {gateway}|the {hot} is {good}
        |{launch} the {hot} now|repair the {hot}|repair the {hue} {gateway}|press the {hue} button
        |press button {any} {now}|turn {onoff} the {device}|the {device} is {onoff}|the {place} is {good}
        |{launch} {hot} {any}""",
    "gateway": "door|gate",
    "state": "open|closed|broken",
    "latch": "open|close|lock|unlock",
    "good": "online|ready|safe",
    "onoff": "on|off",
    "launch": "start|stop|repair",
    "device": "light|computer|alarm|music",
    "number": """level {any}, get ready|welcome to level {any}|{many} {unit} remaining|you have {many} {unit}
        |{many} {unit} to go|{any} and {any} is {any}|choose a number, {any} or {any}|{any}, {any}, {any}
        |round {any}, {begin}|you need {many} more {unit}|the number is {any}
        |the number of the {gateway} is {any}|round {any} is over|{many} {unit} for player {any}""",
    "any": """zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen
        |sixteen|seventeen|eighteen|nineteen|twenty""",
    "many": """two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen
        |seventeen|eighteen|nineteen|twenty""",
    "unit": "points|seconds|minutes",
    "begin": "fight|begin|go",
    "colour": """{hue} or {hue}, you choose|the {hue} light is {onoff}|follow the {hue} {vehicle}
        |the {hue} team {result}|the {item} is {hue}|the {hue} {vehicle} is {speed}
        |follow the {vehicle} to the {place}|choose the {hue} {item}""",
    "hue": "red|green|blue|yellow|white|black|orange|purple",
    "daytime": "today|tonight",
    "vehicle": "car|ship|train",
    "speed": "here|lost|ready",
    "direction": """go {way} at the {place}|turn {side}, then go {way}|the {place} is {compass} of here
        |look {way} {now}|walk {compass} to the {place}|{side}, {side}, then {way}|the {place} is behind you
        |move {many} steps {way}|stay {side} and {flee}|jump over the {item} {now}|jump {way} and {flee}
        |look behind the {place}|walk {many} steps {compass}|the {item} is behind the {gateway}
        |jump over the {creature}|go to the {place} {daytime}""",
    "way": "up|down|left|right|forward|back",
    "side": "left|right",
    "compass": "north|south|east|west",
    "now": "now|slowly|again",
    "team": """player {any}, it is your turn|player {any} {result}|team {any}, {begin}
        |player {any} and player {any}, {begin}|player {any}, get ready|your team {result}|team {any} {result}
        |game over, player {any}|your turn, team {any}""",
    "result": "wins|loses|is ready|wins {any} points",
    "countdown": """five, four, three, two, one|three, two, one, {begin}|ten, nine, eight, seven, six
        |{many} {unit}, get ready|launch in {many} {ticks}|launch {vehicle} {any}|launch the {hue} {vehicle}
        |{many}, {many}, {many}, {begin}""",
    "ticks": "seconds|minutes",
    "greeting": """welcome back, {who}|hello, {who}|hello world|hello, {hue} team|hello, player {any}
        |good {part}, {who}|good {part}, player {any}|thank you, {who}|thank you, player {any}
        |thank you for the {item}|thank you for the {supply}|goodbye, {who}|goodbye, player {any}
        |welcome to the {place}|good {part}, world|goodbye world|hello world, {part_talk}|well done, {who}
        |well done, team {any}|good luck, {who}|good luck, player {any}|we are {good}, {who}
        |are you {good}, {who}|see you at the {place} {daytime}|see you {daytime}|yes, {answer}
        |no, {no_answer}|the world is {good}|welcome to my world""",
    "hail": """hello {who}|goodbye {who}|good {part}, {who}|thank you, {who}|well done, {who}|good luck, {who}
        |yes, {who}|hello world|good {part}""",
    "remark": """the {gateway} is {state}|the {hot} is {good}|this is the {place}|are you at the {place}
        |see you {daytime}|we are {good}|see you at the {place}|the {item} is {hue}|this is the {hue} {item}
        |are you {good}|my {item} is {hue}|this is my world|welcome to my {place}|go {way}
        |we are at the {place}|the world is {good}|see you in {many} minutes""",
    "part": "morning|evening|night",
    "part_talk": "good {part}|we are {good}|this is the {place}",
    "answer": """we are {good}|the {gateway} is {state}|the {hot} is {good}|you can go {way}
        |this is the {place}""",
    "no_answer": """not {daytime}|the {item} is not here|this is not the {place}|not the {hue} {item}
        |do not {latch} the {gateway}""",
    "sound": """play the {noise}|stop the {noise}|{noise} {onoff}|please play the {noise}
        |turn {raise} the {noise}|the {noise} is too {loud}|listen to the {noise}|can you hear the {noise}
        |i hear {noise} in the {place}|play a sound {now}|say it {now}|volume {raise}|set the volume to {any}
        |i can hear the {creature}|say hello to the {creature}|silence in the {place}
        |silence, i hear a {creature}|speak {now}|speak to the {creature}|do not speak to the {creature}
        |do not {order} the {place}|play sound {any}|the sound of the {noise}|listen, i hear the {vehicle}
        |please set the volume to {any}|the {device} is too {loud}|silence, the {creature} can hear you
        |speak to {who}""",
    "noise": "music|rain|thunder|wind|alarm|voice",
    "raise": "up|down",
    "loud": "loud|quiet",
}
_SLOT = re.compile(r"\{(\w+)\}")
_WORD = re.compile(r"[a-z]+")

VOCABULARY = frozenset(_WORD.findall(_SLOT.sub(" ", " ".join(_RULES.values()))))

MIN_WORDS, MAX_WORDS = 3, 8


def phrases(rng: np.random.Generator, count: int) -> list[str]:
    """Draw `count` distinct sentences of 3 to 8 lower-case words, with commas and a full stop.

    Of several candidates the one with the word that is rarest so far is kept, so that every prefix of the
    list is balanced. `count` should stay far below the size of the grammar (tens of thousands of sentences).
    """
    grammar = {name: [one.strip() for one in rule.split("|")] for name, rule in _RULES.items()}
    used: Counter[str] = Counter()
    drawn: dict[str, None] = {}
    while len(drawn) < count:
        candidates = [_expand("sentence", grammar, rng) + "." for _ in range(40)]
        fresh = [one for one in candidates if one not in drawn and MIN_WORDS <= len(words(one)) <= MAX_WORDS]
        if fresh:
            best = min(fresh, key=lambda one: min(used[word] for word in words(one)))
            drawn[best] = None
            used.update(words(best))
    return list(drawn)


def words(sentence: str) -> list[str]:
    """Split a sentence into its lower-case words, without punctuation."""
    return _WORD.findall(sentence)


def _expand(name: str, grammar: dict[str, list[str]], rng: np.random.Generator) -> str:
    """Replace every slot of a random alternative of rule `name`, depth first."""
    alternative = grammar[name][rng.integers(len(grammar[name]))]
    return _SLOT.sub(lambda slot: _expand(slot[1], grammar, rng), alternative)
