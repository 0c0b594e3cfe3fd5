"""How little it takes to change an answer: perturbations of a meme, sweeps over their strength, pixel attacks."""
