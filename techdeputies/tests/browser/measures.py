"""What a page is measured by: the WCAG rules of axe, no sideways scrolling, things big enough to press."""

from __future__ import annotations

from typing import Any

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page

from techdeputies.tests.browser.harness import NARROW, WIDE, Visitor

TAGS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa")
NARROWEST = 320
"""CSS pixels: a screen of 1280 at 400 % (WCAG 1.4.10)."""
SMALLEST_TARGET = 44

_RUN_AXE = """
async tags => {
  document.querySelectorAll('details').forEach(details => { details.open = true });
  // Else axe would catch colors on their way from one scheme to the other.
  document.getAnimations().forEach(change => change.finish());
  const found = await axe.run(document, {
    runOnly: {type: 'tag', values: tags},
    resultTypes: ['violations'],
  });
  return found.violations.flatMap(rule => rule.nodes.map(
    node => `${rule.id}: ${node.target.join(' ')} ${node.any.concat(node.all, node.none).map(one => one.message).join('; ')}`
  ));
}
"""

# What sticks out, so that a failing test names it.
_WIDE_THINGS = """
() => {
  const room = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= room) return [];
  return ['the page is ' + document.documentElement.scrollWidth + ' wide']
    .concat([...document.querySelectorAll('body *')]
      .filter(one => one.getBoundingClientRect().right > room + 1)
      .slice(0, 5)
      .map(one => one.outerHTML.slice(0, 120)));
}
"""

# A link inside a sentence is as high as its line (WCAG 2.5.8 leaves it out); a box for a tick is pressed by its words.
_SMALL_THINGS = """
smallest => {
  const inSentence = one => {
    if (getComputedStyle(one).display !== 'inline') return false;
    let block = one.parentElement;
    while (getComputedStyle(block).display === 'inline') block = block.parentElement;
    return block.innerText.trim().length > one.innerText.trim().length;
  };
  const boxOf = one => {
    const boxes = [one, ...(['checkbox', 'radio'].includes(one.type) ? one.labels : [])].map(part => part.getBoundingClientRect());
    const side = name => boxes.map(box => box[name]);
    return {
      height: Math.max(...side('bottom')) - Math.min(...side('top')),
      width: Math.max(...side('right')) - Math.min(...side('left')),
    };
  };
  return [...document.querySelectorAll('a[href], button, summary, select, textarea, input:not([type=hidden])')]
    .filter(one => one.checkVisibility({visibilityProperty: true, opacityProperty: true}))
    .filter(one => !one.matches('.skip-link') && !inSentence(one))
    .map(one => ({one, box: boxOf(one)}))
    .filter(({box}) => Math.min(box.height, box.width) < smallest - 0.5)
    .map(({one, box}) => `${Math.round(box.width)} × ${Math.round(box.height)}: ${one.outerHTML.slice(0, 120)}`);
}
"""


def broken_rules(visitor: Visitor, *, widths: tuple[int, ...] = (NARROW, WIDE)) -> list[str]:
    """What axe finds at each width, light and dark, with everything folded opened."""
    page, found = visitor.page, []
    schemes: tuple[Any, ...] = ("light", "dark")
    with visitor.unwatched():  # axe writes style attributes where it copies a label
        page.evaluate(AXE_SCRIPT)
        for width in widths:
            set_width(page, width)
            for scheme in schemes:
                page.emulate_media(color_scheme=scheme)
                found += [f"{width} {scheme}: {line}" for line in page.evaluate(_RUN_AXE, list(TAGS))]
    return found


def sticking_out(page: Page, width: int = NARROWEST) -> list[str]:
    """Whether the page scrolls sideways, and what makes it."""
    set_width(page, width)
    found: list[str] = page.evaluate(_WIDE_THINGS)
    return found


def hard_to_press(page: Page, width: int = NARROW) -> list[str]:
    """Links, buttons and boxes smaller than a fingertip."""
    set_width(page, width)
    found: list[str] = page.evaluate(_SMALL_THINGS, SMALLEST_TARGET)
    return found


def set_width(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
