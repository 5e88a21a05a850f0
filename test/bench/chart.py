"""Curves as SVG: panels of one measured thing each, over one logarithmic axis."""

import math
import statistics
from xml.sax.saxutils import escape

WIDTH, HEIGHT, LEFT, TOP, GAP = 640, 240, 70, 40, 60
STYLE = ("text{font:13px sans-serif;fill:#222}.axis{stroke:#888;stroke-width:1}.grid{stroke:#ddd;stroke-width:1}"
         ".line{fill:none;stroke:#1f5fa8;stroke-width:2}.dot{fill:#1f5fa8}.run{fill:#1f5fa8;fill-opacity:.3}")


def nice_top(value):
    """The least of 1, 2, 5 times a power of ten that is not below the value."""
    power = 10 ** math.floor(math.log10(max(value, 1e-9)))
    return next(power * step for step in (1, 2, 5, 10) if power * step >= value)


def panel(out, top, title, xs, runs):
    low, high = math.log10(xs[0]), math.log10(xs[-1])
    ceiling = nice_top(max(max(values) for values in runs))

    def at(x, y):
        across = (math.log10(x) - low) / (high - low) if high > low else 0.5
        return LEFT + across * (WIDTH - LEFT - 30), top + HEIGHT - y / ceiling * (HEIGHT - 30)

    out.append('<text x="%d" y="%d">%s</text>' % (LEFT, top + 12, escape(title)))
    for step in range(5):
        y = at(xs[0], ceiling * step / 4)[1]
        out.append('<line class="%s" x1="%d" y1="%.1f" x2="%d" y2="%.1f"/>' % (
            "grid" if step else "axis", LEFT, y, WIDTH - 30, y))
        out.append('<text x="%d" y="%.1f" text-anchor="end">%g</text>' % (LEFT - 8, y + 4, ceiling * step / 4))
    for x in xs:
        out.append('<text x="%.1f" y="%d" text-anchor="middle">%s</text>' % (at(x, 0)[0], top + HEIGHT + 20, f"{x:,}"))
    middles = [statistics.median(values) for values in runs]
    out.append('<polyline class="line" points="%s"/>' % " ".join("%.1f,%.1f" % at(x, y) for x, y in zip(xs, middles)))
    for x, values, middle in zip(xs, runs, middles):
        out.extend('<circle class="run" cx="%.1f" cy="%.1f" r="3"/>' % at(x, value) for value in values)
        out.append('<circle class="dot" cx="%.1f" cy="%.1f" r="4"/>' % at(x, middle))


def draw(path, axis, xs, panels):
    """panels: (title, values of each run for each x).  The line goes through the medians."""
    height = TOP + len(panels) * (HEIGHT + GAP)
    out = ['<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d">' % (
        WIDTH, height, WIDTH, height), "<style>%s</style>" % STYLE,
        '<rect width="100%" height="100%" fill="#fff"/>',
        '<text x="%d" y="22" font-weight="bold">over %s</text>' % (LEFT, escape(axis))]
    for n, (title, runs) in enumerate(panels):
        panel(out, TOP + n * (HEIGHT + GAP), title, xs, runs)
    out.append("</svg>")
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(out) + "\n")
