"""Draw the brand images: a cube that sleeps with one eye open, before its shield.

Run it with `.venv/bin/python scripts/draw_brand.py`. All shapes live on a canvas of 512 units and
are drawn four times too large, then scaled down, which gives them smooth edges.
"""

from collections.abc import Callable
import math
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

type Point = tuple[float, float]
type Shape = list[Point]

BRAND = Path(__file__).parent.parent / "custom_components" / "cubeguardian" / "brand"
UNITS, OVERSIZE = 512, 4

RIM, NIGHT, DAY = "#6fd6e8", "#1d2557", "#2f3f8f"
TOP, LEFT, RIGHT = "#ffd774", "#d0672d", "#f59a3d"
INK, WHITE = "#161c45", "#fffaf0"
TEXT_ON_LIGHT, TEXT_ON_DARK = "#1d2557", "#f3f5ff"

CENTRE: Point = (256.0, 252.0)
SIDE = 160.0
COS30, SIN30 = math.cos(math.radians(30)), 0.5


def bezier(start: Point, one: Point, two: Point, end: Point) -> Shape:
    """Return a cubic curve as points."""
    curve = []
    for step in range(41):
        t = step / 40
        a, b, c, d = (1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3
        curve.append(
            (
                a * start[0] + b * one[0] + c * two[0] + d * end[0],
                a * start[1] + b * one[1] + c * two[1] + d * end[1],
            )
        )
    return curve


def half_shield() -> Shape:
    """Return the right half of the shield, from the middle of its top to its tip."""
    return [
        *bezier((256, 26), (318, 72), (398, 84), (474, 84)),
        *bezier((474, 84), (486, 300), (408, 432), (256, 488)),
    ]


def mirrored(shape: Shape) -> Shape:
    """Return a shape on the other side of the middle."""
    return [(UNITS - x, y) for x, y in shape]


def right_face(u: float, v: float) -> Point:
    """Return a point of the cube's right face; u and v run from 0 to 1."""
    return CENTRE[0] + SIDE * COS30 * u, CENTRE[1] - SIDE * SIN30 * u + SIDE * v


def left_face(u: float, v: float) -> Point:
    """Return a point of the cube's left face; u runs from the outer edge to the middle."""
    back = 1 - u
    return CENTRE[0] - SIDE * COS30 * back, CENTRE[1] - SIDE * SIN30 * back + SIDE * v


def top_face(u: float, v: float) -> Point:
    """Return a point of the cube's top face."""
    return CENTRE[0] + SIDE * COS30 * (u - v), CENTRE[1] - SIDE * SIN30 * (u + v)


def square(face: Callable[[float, float], Point]) -> Shape:
    """Return the outline of a face."""
    return [face(0, 0), face(1, 0), face(1, 1), face(0, 1)]


def disc(face: Callable[[float, float], Point], u: float, v: float, radius: float) -> Shape:
    """Return a circle that lies on a face."""
    angles = [math.tau * step / 90 for step in range(90)]
    return [face(u + radius * math.cos(a), v + radius * math.sin(a)) for a in angles]


def closed_lid(face: Callable[[float, float], Point]) -> Shape:
    """Return the line of a closed eye: the lower arc of a circle, thick in the middle."""
    angles = [math.radians(20 + 140 * step / 40) for step in range(41)]
    outer = [face(0.5 + 0.34 * math.cos(a), 0.36 + 0.34 * math.sin(a)) for a in angles]
    inner = [face(0.5 + 0.30 * math.cos(a), 0.36 + 0.19 * math.sin(a)) for a in angles]
    return outer + inner[::-1]


class Canvas:
    """A transparent picture that is drawn in units."""

    def __init__(self, width: int, height: int) -> None:
        """Make an empty picture of that many units."""
        self.image = Image.new("RGBA", (width * OVERSIZE, height * OVERSIZE))
        self.draw = ImageDraw.Draw(self.image)

    def fill(self, shape: Shape, colour: str) -> None:
        """Fill a shape."""
        self.draw.polygon([(x * OVERSIZE, y * OVERSIZE) for x, y in shape], fill=colour)

    def line(self, shape: Shape, colour: str, width: int) -> None:
        """Draw a line along a shape, with round corners."""
        for x, y in shape:
            around = [(x - width / 2) * OVERSIZE, (y - width / 2) * OVERSIZE]
            self.draw.ellipse([*around, *(end + width * OVERSIZE for end in around)], fill=colour)
        points = [(x * OVERSIZE, y * OVERSIZE) for x, y in shape]
        self.draw.line(points, fill=colour, width=width * OVERSIZE)

    def write(self, text: str, left: float, middle: float, size: float, colour: str) -> None:
        """Write a word whose middle line is given."""
        font = ImageFont.load_default(size * OVERSIZE)
        self.draw.text(
            (left * OVERSIZE, middle * OVERSIZE),
            text,
            font=font,
            fill=colour,
            anchor="lm",
            stroke_width=size * OVERSIZE / 42,
            stroke_fill=colour,
        )

    def save(self, name: str, height: int) -> None:
        """Write the picture with that height in pixels."""
        width = round(self.image.width * height / self.image.height)
        picture = self.image.resize((width, height), Image.Resampling.LANCZOS)
        picture.save(BRAND / name, optimize=True)


def draw_icon(canvas: Canvas) -> None:
    """Draw the shield and the cube."""
    day = half_shield()
    night = mirrored(day)
    canvas.fill(night, NIGHT)
    canvas.fill(day, DAY)
    canvas.line(day + night[::-1], RIM, 20)
    for face, colour in ((top_face, TOP), (left_face, LEFT), (right_face, RIGHT)):
        canvas.fill(square(face), colour)
    canvas.fill(closed_lid(left_face), INK)
    canvas.fill(disc(right_face, 0.5, 0.5, 0.3), WHITE)
    canvas.fill(disc(right_face, 0.44, 0.52, 0.17), INK)
    canvas.fill(disc(right_face, 0.38, 0.45, 0.055), WHITE)


def draw_logo(canvas: Canvas, colour: str) -> None:
    """Draw the icon with the name beside it."""
    draw_icon(canvas)
    canvas.write("CubeGuardian", 548, 256, 200, colour)


def main() -> None:
    """Write every brand image."""
    BRAND.mkdir(exist_ok=True)
    icon = Canvas(UNITS, UNITS)
    draw_icon(icon)
    for suffix, height in (("", 256), ("@2x", 512)):
        icon.save(f"icon{suffix}.png", height)
        for prefix, colour in (("", TEXT_ON_LIGHT), ("dark_", TEXT_ON_DARK)):
            logo = Canvas(1920, UNITS)
            draw_logo(logo, colour)
            logo.save(f"{prefix}logo{suffix}.png", height)


if __name__ == "__main__":
    main()
