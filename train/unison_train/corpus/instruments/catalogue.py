"""Every instrument of the corpus: its label, its General MIDI program, what it plays and how that may be worded.

Keys stay within what the instrument plays; outside of it FluidR3 is silent (its contrabass above B3, for one).
"""

from __future__ import annotations

from dataclasses import dataclass

from unison_train.corpus.instruments import drums
from unison_train.corpus.instruments.phrases import Play, arpeggio, bass_line, chords, melody, note


@dataclass(frozen=True)
class Phrase:
    """Something to play, and captions that are true of every variant of it."""

    play: Play
    captions: tuple[str, ...]


@dataclass(frozen=True)
class Instrument:
    """An instrument with its phrases, which its variants play in turn.

    Attributes:
        label: what a listener would name it; alike with the label of another source where both sound alike.
        program: General MIDI program from 0, or drum kit.
        phrases: at least one.
        drums: whether `program` is a drum kit.
    """

    label: str
    program: int
    phrases: tuple[Phrase, ...]
    drums: bool = False

    def phrase(self, variant: int) -> Phrase:
        """What the variant of that number plays."""
        return self.phrases[variant % len(self.phrases)]


def _label(name: str) -> str:
    """The name without its article."""
    return name.removeprefix("a ").removeprefix("an ")


def _sustained(name: str, program: int, low: int, high: int) -> Instrument:
    """Bowed and blown: long notes and melodies."""
    long = Phrase(note(low, high, 1.5, 3.5), (name, f"{name} playing a long note"))
    tune = Phrase(melody(low, high), (name, f"a short melody on {name}"))
    return Instrument(_label(name), program, (long, tune))


def _struck(name: str, program: int, low: int, high: int) -> Instrument:
    """Plucked and struck: single notes and melodies."""
    single = Phrase(note(low, high), (name, f"a single note on {name}"))
    tune = Phrase(melody(low, high), (name, f"a short melody on {name}"))
    return Instrument(_label(name), program, (single, tune))


def _keys(name: str, program: int, low: int, high: int) -> Instrument:
    """Keyboards and harps: chords, broken chords and melodies."""
    tune = Phrase(melody(low + 12, high), (name, f"a short melody on {name}"))
    together = Phrase(chords(low, high), (name, f"chords on {name}"))
    broken = Phrase(arpeggio(low, high), (name, f"an arpeggio on {name}"))
    return Instrument(_label(name), program, (tune, together, broken))


def _section(name: str, program: int, low: int, high: int) -> Instrument:
    """Players together: long notes and chords."""
    long = Phrase(note(low, high, 1.5, 3.5), (name, f"a long note by {name}"))
    together = Phrase(chords(low, high), (name, f"chords by {name}"))
    return Instrument(_label(name), program, (long, together))


def _bass(name: str, program: int, low: int, high: int, label: str = "") -> Instrument:
    """Low notes and lines of them."""
    single = Phrase(note(low, high), (name, f"a single note on {name}"))
    line = Phrase(bass_line(low, high), (name, f"a bass line on {name}"))
    return Instrument(label or _label(name), program, (single, line))


def _guitar(name: str, program: int, low: int, high: int, label: str = "") -> Instrument:
    """Strummed and picked."""
    strummed = Phrase(chords(low, high, 0.02), (name, f"{name} being strummed"))
    picked = Phrase(arpeggio(low, high), (name, f"{name} being picked"))
    tune = Phrase(melody(low + 12, high), (name, f"a short melody on {name}"))
    return Instrument(label or _label(name), program, (strummed, picked, tune))


def _pad(label: str, program: int, low: int, high: int, *captions: str) -> Instrument:
    """A slow synthesiser: long chords and notes."""
    return Instrument(
        label, program, (Phrase(note(low, high, 2.5, 4.2), captions), Phrase(chords(low, high), captions))
    )


def _effect(
    label: str, program: int, *captions: str, keys: tuple[int, int] = (52, 68), longest: float = 4.0
) -> Instrument:
    """One of the effect programs: its recording at different speeds."""
    return Instrument(label, program, (Phrase(note(*keys, longest / 2, longest), captions),))


def _beat(label: str, play: Play, *captions: str, kit: int = 0) -> Instrument:
    """A drum kit, or part of one."""
    return Instrument(label, kit, (Phrase(play, captions),), drums=True)


PITCHED = (
    _keys("a piano", 0, 40, 84),
    _keys("an electric piano", 4, 40, 84),
    _keys("a harpsichord", 6, 41, 84),
    _keys("a drawbar organ", 16, 41, 84),
    _keys("a church organ", 19, 41, 84),
    _keys("an accordion", 21, 48, 84),
    _keys("a harp", 46, 40, 88),
    _struck("a glockenspiel", 9, 72, 100),
    _struck("a music box", 10, 65, 96),
    _struck("a vibraphone", 11, 53, 89),
    _struck("a marimba", 12, 48, 84),
    _struck("a xylophone", 13, 65, 96),
    _struck("tubular bells", 14, 60, 77),
    _struck("a sitar", 104, 48, 77),
    _struck("a banjo", 105, 50, 84),
    _struck("a koto", 107, 48, 84),
    _struck("a kalimba", 108, 55, 84),
    _struck("a steel drum", 114, 55, 84),
    _struck("pizzicato strings", 45, 48, 84),
    _struck("timpani", 47, 36, 55),
    _guitar("an acoustic guitar", 24, 40, 79),
    _guitar("an electric guitar", 27, 40, 79, label="guitar"),
    _guitar("a distorted guitar", 30, 40, 79),
    _bass("an electric bass", 33, 28, 52),
    _bass("a slap bass", 36, 28, 52),
    _bass("a double bass", 32, 28, 52),
    _bass("a synth bass", 38, 28, 52),
    _sustained("a violin", 40, 55, 88),
    _sustained("a cello", 42, 36, 69),
    _sustained("a trumpet", 56, 55, 82),
    _sustained("a muted trumpet", 59, 55, 82),
    _sustained("a trombone", 57, 40, 70),
    _sustained("a tuba", 58, 29, 58),
    _sustained("a french horn", 60, 41, 74),
    _sustained("a saxophone", 65, 49, 80),
    _sustained("an oboe", 68, 58, 89),
    _sustained("a bassoon", 70, 36, 70),
    _sustained("a clarinet", 71, 50, 88),
    _sustained("a flute", 73, 60, 94),
    _sustained("a recorder", 74, 65, 94),
    _sustained("a harmonica", 22, 60, 88),
    _sustained("bagpipes", 109, 55, 77),
    _sustained("a sawtooth synth lead", 81, 48, 84),
    _sustained("a square wave synth lead", 80, 48, 84),
    _section("a string orchestra", 48, 41, 84),
    _section("tremolo strings", 44, 48, 84),
    _section("a brass section", 61, 43, 79),
    _section("a choir", 52, 48, 79),
    _pad("synth pad", 89, 45, 76, "a warm synth pad", "a soft synthesiser chord"),
    _pad("metallic pad", 93, 45, 76, "a metallic synth pad", "a cold metallic synthesiser"),
    _pad("glass pad", 92, 48, 79, "a glassy synth pad", "bowed glass"),
)

EFFECTS = (
    _effect("orchestra hit", 55, "an orchestra hit", "a short loud orchestra chord", longest=1.4),
    _effect("taiko", 116, "a taiko drum", "a huge deep drum", keys=(48, 64), longest=1.8),
    _effect("reverse cymbal", 119, "a reversed cymbal", "a cymbal played backwards", longest=2.5),
    _effect("fret noise", 120, "fingers squeaking on guitar strings", "guitar fret noise", longest=1.5),
    _effect("breath", 121, "a breath into a flute", "a short breathy blow", longest=1.5),
    _effect("ocean", 122, "the seashore", "surf rolling in"),
    _effect("birds", 123, "a bird tweeting", "one small bird calling"),
    _effect("telephone", 124, "an office telephone rings", "a desk phone ringing", longest=3.0),
    _effect("helicopter", 125, "a helicopter hovering", "a helicopter circling overhead"),
    _effect("applause", 126, "applause", "an audience clapping", "a crowd applauding"),
    _effect("gunshot", 127, "a rifle shot", "a pistol shot", longest=1.6),
)

DRUMS = (
    _beat(
        "rock beat",
        drums.beat(
            95,
            150,
            (
                (drums.KICK, "x.......x.x....."),
                (drums.SNARE, "....x.......x..."),
                (drums.CLOSED_HAT, "x.o.x.o.x.o.x.o."),
            ),
        ),
        "a rock drum beat",
        "rock drums",
    ),
    _beat(
        "metal drums",
        drums.beat(
            130,
            175,
            ((drums.KICK, "xxxxxxxxxxxxxxxx"), (drums.SNARE, "....x.......x..."), (drums.RIDE, "x...x...x...x...")),
        ),
        "heavy metal drums",
        "drums with a fast double bass drum",
        kit=16,
    ),
    _beat(
        "disco beat",
        drums.beat(
            110,
            130,
            ((drums.KICK, "x...x...x...x..."), (drums.SNARE, "....x.......x..."), (drums.OPEN_HAT, "..x...x...x...x.")),
        ),
        "a disco drum beat",
        "four on the floor drums",
    ),
    _beat(
        "techno beat",
        drums.beat(
            124,
            142,
            (
                (drums.KICK, "x...x...x...x..."),
                (drums.CLAP, "....x.......x..."),
                (drums.CLOSED_HAT, "o.xoo.xoo.xoo.xo"),
            ),
        ),
        "a techno beat",
        "an electronic dance beat",
        kit=25,
    ),
    _beat(
        "hip hop beat",
        drums.beat(
            78,
            98,
            (
                (drums.KICK, "x..x......x....."),
                (drums.SNARE, "....x.......x..."),
                (drums.CLOSED_HAT, "x.o.x.o.x.o.x.oo"),
            ),
            swing=0.2,
        ),
        "a hip hop beat",
        "a slow drum machine beat",
        kit=24,
    ),
    _beat(
        "funk beat",
        drums.beat(
            90,
            115,
            (
                (drums.KICK, "x..x..x...x..x.."),
                (drums.SNARE, "....x.oo.o..x..o"),
                (drums.CLOSED_HAT, "xoxoxoxoxoxoxoxo"),
            ),
        ),
        "a funk drum beat",
        "funky drums",
    ),
    _beat(
        "jazz drums",
        drums.beat(
            110,
            170,
            (
                (drums.RIDE, "x...x..ox...x..o"),
                (drums.PEDAL_HAT, "....x.......x..."),
                (drums.SNARE, "o......o..o....o"),
            ),
        ),
        "jazz drums",
        "a swinging ride cymbal",
        "jazz drums with brushes",
        kit=40,
    ),
    _beat(
        "bossa nova",
        drums.beat(
            110,
            140,
            (
                (drums.KICK, "x..xx..xx..xx..x"),
                (drums.STICK, "x..x..x...x..x.."),
                (drums.CLOSED_HAT, "xoxoxoxoxoxoxoxo"),
            ),
        ),
        "a bossa nova beat",
        "brazilian drums",
    ),
    _beat(
        "marching drums",
        drums.beat(
            100,
            125,
            ((drums.KICK, "x...x...x...x..."), (drums.SNARE, "x.ooxox.x.ooxooo")),
        ),
        "marching drums",
        "a military drum march",
        kit=48,
    ),
    _beat("drum fill", drums.fill((drums.SNARE, *drums.TOMS)), "a drum fill", "a fill down the toms and a crash"),
    _beat("drum roll", drums.roll(drums.SNARE), "a drum roll", "a snare drum roll"),
    _beat("bass drum", drums.hits(drums.KICK), "a bass drum", "a kick drum"),
    _beat("snare drum", drums.hits(drums.SNARE), "a snare drum", "a snare hit"),
    _beat("hi-hat", drums.hits(drums.CLOSED_HAT), "a closed hi-hat", "a hi-hat"),
    _beat("cymbal", drums.hits(drums.CRASH, drums.SPLASH), "a cymbal crash", "a cymbal"),
    _beat("tom", drums.hits(*drums.TOMS), "a tom drum"),
    _beat("cowbell", drums.hits(drums.COWBELL), "a cowbell"),
    _beat("claps", drums.hits(drums.CLAP), "hand claps", "clapping hands together"),
    _beat("tambourine", drums.patter(drums.TAMBOURINE), "a tambourine", "shaking a tambourine"),
    _beat("maracas", drums.patter(drums.MARACAS), "maracas", "a shaker"),
    _beat("triangle", drums.hits(drums.OPEN_TRIANGLE), "a triangle", "a ringing triangle"),
    _beat("guiro", drums.hits(drums.SHORT_GUIRO, drums.LONG_GUIRO), "a guiro", "scraping a ridged gourd"),
    _beat("whistle", drums.hits(drums.SHORT_WHISTLE, drums.LONG_WHISTLE), "a referee whistle", "blowing a whistle"),
    _beat("wood block", drums.patter(drums.HIGH_WOODBLOCK, drums.LOW_WOODBLOCK), "a wood block", "tapping wood blocks"),
    _beat("bongos", drums.patter(drums.HIGH_BONGO, drums.LOW_BONGO), "bongos", "playing bongo drums"),
    _beat(
        "congas",
        drums.patter(drums.MUTED_CONGA, drums.HIGH_CONGA, drums.LOW_CONGA),
        "congas",
        "playing conga drums",
    ),
)

INSTRUMENTS = (*PITCHED, *EFFECTS, *DRUMS)
