"""What may be done to an item: the calls that its question allows."""

from __future__ import annotations

from g2u.edits.library import NONE, EditCall, EditLibrary
from g2u.edits.menu import Menu

from .items import Item


def menu_of(item: Item) -> Menu:
    """The calls that the question of an item allows."""
    return Menu(library=EditLibrary.load(), options=item.options)


def misfits(item: Item) -> list[str]:
    """Edits of the menu that are none of the gold edits of an item, by name; `none` is not among them."""
    return sorted({call.edit for call in menu_of(item).calls} - {NONE, *item.gold_edits})


def call_of(item: Item, edit: str) -> EditCall:
    """The call of an edit that the question of an item allows."""
    menu = menu_of(item)
    return menu.settle(menu.library.call(edit))[0]
