"""docs/benchmarks.svg, from samples, by gnuplot."""

import subprocess

from goals import sizes_of
from parts import LANGUAGES

SCRIPT = """
set terminal svg size 960,440 font "sans-serif,13" background "white"
set output "{output}"
set multiplot layout 1,2
set title "Processor time for each request, µs"
set style data histogram
set style histogram clustered gap 1
set style fill solid 0.85 border -1
set logscale y
set yrange [10:*]
set grid ytics
set xtics rotate by -25
set key top left
{languages}
unset logscale y
unset xtics
set xtics
set logscale x
set yrange [0:*]
set title "C hello, µs of processor for each request"
set xlabel "how many"
set style data linespoints
{growth}
unset multiplot
"""


class Curves:
    """One plot command of gnuplot, and the data that it names; what was not measured is left out."""

    def __init__(self):
        self.data, self.curves = [], []

    def add(self, title, colour, points, using):
        if points:
            name = f"$data{len(self.data)}{len(title)}"
            self.data.append("\n".join([f"{name} << END", *points, "END"]))
            self.curves.append(f'{name} using {using} title "{title}" linewidth 2 linecolor rgb "{colour}"')

    def __str__(self):
        return "\n".join([*self.data, "plot " + ", ".join(self.curves)]) if self.curves else ""


def script(samples, output):
    languages, growth = Curves(), Curves()
    for server, title, colour in (
        ("this", "this server, HTTPS", "#2b6cb0"),
        ("wasmtime", "wasmtime serve, HTTP", "#c9a227"),
    ):
        figures = [(label, samples.median(f"request:{server}:{name} cpu")) for label, name, _, _ in LANGUAGES]
        if any(figure for _, figure in figures):
            languages.add(title, colour, [f'"{label}" {figure or 0:.3f}' for label, figure in figures], "2:xtic(1)")
    for prefix, title, colour in (("connections:", "connections", "#2b6cb0"), ("apps:many:", "apps", "#a0433a")):
        points = [f"{size} {samples.median(f'{prefix}{size} cpu'):.3f}" for size in sizes_of(samples, prefix, " cpu")]
        growth.add(title, colour, points, "1:2")
    return SCRIPT.format(output=output, languages=languages, growth=growth)


def plot(samples, output):
    subprocess.run(["gnuplot"], input=script(samples, output), text=True, check=True)
