"""Panels with axes, points with error bars, lines and labels beside them, as SVG. Standard library only."""
import math
from html import escape

INK, GRID, FONT = "#222222", "#e3e3e3", "Helvetica, Arial, DejaVu Sans, sans-serif"


class Axis:
    """Where values lie between two positions in pixels. `ticks`: (value, label) pairs."""

    def __init__(self, title, low, high, ticks, logarithmic=False):
        self.title, self.low, self.high, self.ticks, self.logarithmic = title, low, high, ticks, logarithmic

    def at(self, value, start, end):
        low, high = self.low, self.high
        if self.logarithmic:
            value, low, high = math.log(value), math.log(low), math.log(high)
        return start + (end - start) * (value - low) / (high - low)


class Panel:
    """A plot in the rectangle from (left, top), of width and height in pixels, axis labels outside of it."""

    def __init__(self, title, x, y, left, top, width, height):
        self.x, self.y, self.left, self.top, self.width, self.height = x, y, left, top, width, height
        self.marks, self.labels = [], []
        right, bottom = left + width, top + height
        self.text(left, top - 12, title, size=14, weight="bold")
        for value, label in y.ticks:
            across = self.down(value)
            self.line(left, across, right, across, GRID)
            self.text(left - 7, across + 4, label, anchor="end")
        for value, label in x.ticks:
            along = self.along(value)
            self.line(along, bottom, along, bottom + 5, INK)
            self.text(along, bottom + 19, label, anchor="middle")
        self.line(left, bottom, right, bottom, INK)
        self.text(left + width / 2, bottom + 39, x.title, anchor="middle")
        self.marks.append(
            f'<text transform="translate({left - 44:.1f} {top + height / 2:.1f}) rotate(-90)" text-anchor="middle">'
            f"{escape(y.title)}</text>")

    def along(self, value):
        return self.x.at(value, self.left, self.left + self.width)

    def down(self, value):
        return self.y.at(value, self.top + self.height, self.top)

    def line(self, x1, y1, x2, y2, color, width=1.0, dash=""):
        dash = f' stroke-dasharray="{dash}"' if dash else ""
        self.marks.append(
            f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{color}" stroke-width="{width}"{dash}/>')

    def text(self, x, y, text, color=INK, anchor="start", size=12, weight="normal"):
        self.marks.append(
            f'<text x="{x:.1f}" y="{y:.1f}" fill="{color}" text-anchor="{anchor}" font-size="{size}" '
            f'font-weight="{weight}">{escape(text)}</text>')

    def series(self, points, color, label=None, shape="circle", dash="", joined=True, dot=4.5, shift=0.0):
        """`points`: (x, y, error or None). The label stands right of the panel, at the height of the last. `dot`: a circle's
        radius; `shift` moves all of it sideways; both in pixels."""
        places = [(self.along(x) + shift, self.down(y)) for x, y, _ in points]
        if joined:
            path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
            dashes = f' stroke-dasharray="{dash}"' if dash else ""
            self.marks.append(f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="2"{dashes}/>')
        for (x, y), (_, value, error) in zip(places, points):
            if error:
                ends = self.down(value - error), self.down(value + error)
                self.line(x, ends[0], x, ends[1], color, 1.4)
                for end in ends:
                    self.line(x - 4, end, x + 4, end, color, 1.4)
            self.marks.append({
                "circle": f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{dot}" fill="{color}"/>',
                "square": f'<rect x="{x - 4.2:.1f}" y="{y - 4.2:.1f}" width="8.4" height="8.4" fill="{color}"/>',
                "diamond": f'<path d="M{x:.1f} {y - 6:.1f}l6 6l-6 6l-6 -6z" fill="{color}"/>',
                "ring": f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.2" fill="white" stroke="{color}" stroke-width="2"/>',
            }[shape])
        if label:
            self.labels.append([self.left + self.width + 10, places[-1][1] + 4, label, color])

    def level(self, value, label, color):
        """A dashed line across the panel, labelled at its right end."""
        height = self.down(value)
        self.line(self.left, height, self.left + self.width, height, color, 1.4, "5 4")
        self.labels.append([self.left + self.width + 10, height + 4, label, color])

    def place_labels(self):
        """Moves labels of the same column apart, so that none covers another."""
        placed = []
        for x, y, label, color in sorted(self.labels, key=lambda entry: entry[1]):
            for other_x, other_y in placed:
                if abs(other_x - x) < 90 and y < other_y + 15:
                    y = other_y + 15
            placed.append((x, y))
            self.text(x, y, label, color)
        self.labels = []


def write(path, width, height, panels):
    for panel in panels:
        panel.place_labels()
    body = "\n".join(mark for panel in panels for mark in panel.marks)
    with open(path, "w", encoding="utf-8") as file:
        file.write(
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
            f'font-family="{FONT}" font-size="12" fill="{INK}">\n'
            f'<rect width="{width}" height="{height}" fill="white"/>\n{body}\n</svg>\n')
