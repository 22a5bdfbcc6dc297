"""What ./dev bench does with figures: medians, ratios by turns, goals, page and plot, and components' memories."""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "bench"))
import basics
import component
import goals
import load
import page
import plot


def figures(**of):
    samples = basics.Samples()
    for name, values in of.items():
        for value in values:
            samples.add(name.replace("__", ":").replace("_", " "), value)
    return samples


class Figures(unittest.TestCase):
    def test_ratio_is_of_each_round(self):
        samples = figures(a=[10, 40, 90], b=[10, 20, 30])
        self.assertEqual(samples.ratio("a", "b"), 2)  # not 40 / 20 by chance: 1, 2, 3
        self.assertEqual(samples.spread("a"), (10, 90))
        self.assertIsNone(samples.ratio("a", "c"))
        self.assertIsNone(samples.median("c"))

    def test_goals_at_their_bounds(self):
        self.assertEqual(goals.verdict(4, 4, True), "**met**")
        self.assertEqual(goals.verdict(3.99, 4, True), "**not met**")
        self.assertEqual(goals.verdict(1.15, 1.15, False), "**met**")
        self.assertEqual(goals.verdict(1.16, 1.15, False), "**not met**")
        self.assertEqual(goals.verdict(None, 1, True), "not measured")

    def test_goals_find_their_figures(self):
        samples = figures(
            request__this__go_cpu=[100],
            request__wasmtime__go_cpu=[250],
            connections__1_cpu=[50],
            connections__100_cpu=[40],
            connections__10000_cpu=[55],
            apps__many__1000_cpu=[66],
            apps__base__1000_cpu=[60],
            handshake__this__X25519_cpu=[600],
            handshake__chain__X25519_cpu=[500],
        )
        found = {
            goal: goals.verdict(value, bound, least) + shape.format(value)
            for goal, value, shape, bound, least, _, _ in goals.all_goals(samples)
            if value is not None
        }
        self.assertEqual(
            sorted(found.values()),
            ["**met**+10 %", "**met**+10 %", "**not met**+38 %", "**not met**1.20", "**not met**2.5 times"],
        )

    def test_page_and_plot_of_little(self):
        about = dict.fromkeys(
            (
                "rounds",
                "date",
                "revision",
                "machine",
                "cores",
                "linux",
                "load_before",
                "load_after",
                "nginx",
                "wasmtime",
                "queue",
            ),
            "x",
        ) | {"turn": 30.0, "idle": 2000}
        self.assertIn("| not measured |", page.page(figures(), about))
        self.assertNotIn("\nplot ", plot.script(figures(), "x.svg"))
        self.assertIn("5 ", plot.script(figures(connections__5_cpu=[1]), "x.svg"))

    def test_spinning_is_taken_away_where_it_was(self):
        class Server:
            reading_spun = (100e3, 50e3)

            def __init__(self):
                self.spins, self.readings = iter([(0, 0), (1100e3, 2050e3)]), iter([None, self])

            def spun(self):
                return next(self.spins)

            def reading(self):
                return next(self.readings)

            def since(self, before):
                return 10e6, 4e6, 2.0

        made = load.cost(Server(), 10, lambda: None)
        self.assertEqual(made, {"cpu": 700, "system": 200, "spun": 300, "rate": 5})

    def test_declared_memory(self):
        def section(kind, *body):
            return bytes([kind, len(body), *body])

        module = b"\0asm\1\0\0\0" + section(1, 0) + section(5, 2, 0, 17, 1, 3, 9)
        self.assertEqual(component.initial_memory(module), 20 * 65536)
        nested = component.MAGIC + component.COMPONENT_LAYER + section(1, *module)
        self.assertEqual(
            component.initial_memory(
                component.MAGIC + component.COMPONENT_LAYER + section(4, *nested) + section(1, *module)
            ),
            40 * 65536,
        )
        with self.assertRaises(ValueError):
            component.initial_memory(b"text")


unittest.main()
