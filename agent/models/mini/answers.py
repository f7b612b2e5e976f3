"""What mini answers: the words of the world that can be the answer to a question.

Of weights whose configuration does not list their own, as those that are shipped; `tests/world` holds the list to the
world.
"""

from __future__ import annotations

_COLOURS = """
    red orange yellow green teal blue purple pink brown black gray white
"""
_SHAPES = """
    circle square triangle diamond star cross ring heart oval pentagon hexagon crescent
"""
_THINGS = """
    abacus accordion airplane ambulance anchor ant apple avocado backpack bacon balloon banana baseball basketball
    bat battery bear bed bee beetle bell bicycle bison blueberry book boot bowling bread bridge briefcase broccoli
    bucket bus butterfly cactus cake camel camera candy cap car carrot castle cat chair cheese cherry chick chili
    chocolate clock clover coffee coin compass controller cookie corn crab crayon crocodile croissant crown cupcake
    deer dice dinosaur dog doll dolphin donut door dragon dress droplet drum duck eagle egg eggplant elephant fan
    feather fire fish flamingo folder football fox fries frog gear gem gift giraffe globe gloves goat gorilla grapes
    guitar hamburger hammer hat headphones hedgehog heel helicopter helmet hippo honey horse hotdog hourglass house
    ice island jeans jellyfish joystick kangaroo key kite kiwi koala ladder ladybug lantern laptop leaf lemon
    lightbulb lightning lion lipstick lock lollipop lotus luggage magnet magnifier mailbox maracas mask meat medal
    megaphone monkey motorcycle mountain mouse mushroom nest note octopus owl package palette pancakes panda parrot
    pawn peacock pear peas pencil penguin pepper phone pig pill pine pineapple pizza planet popcorn pretzel pumpkin
    purse pushpin puzzle rabbit radio rainbow ribbon rice rock rocket rooster sailboat sandwich saxophone scarf
    scissors scorpion screwdriver seedling shark shield ship shirt siren skate skateboard sled snail snake sneaker
    snowflake snowman sofa spaghetti spider squirrel strawberry sun sunflower sunglasses sushi taco teapot teddy
    telephone telescope television tennis tent ticket tiger tomato toothbrush tractor train tree trophy truck
    trumpet tulip turkey turtle ufo umbrella unicorn vase vest violin volcano waffle watch watermelon wave whale
    wheelchair window wolf wood yarn yoyo zebra
"""
_WRITTEN = """
    ACE AIR ALL ARM ART BAR BIG CUP DAY EAR END EYE FIN FUN GAS HOT JOB LAW LEG LOW MAP NET NEW OIL OLD PAN RUN SEA
    SIX SKY TEN TOP TWO VAN WAY ZIP ACID BACK BLUE CAFE CITY COLD DARK EAST EXIT FAST GOLD HALF HIGH HOME JUMP KING
    LAKE LIFT MILK NORTH OPEN PARK QUIZ RIVER SHOP SLOW STOP TAXI
"""
_OTHERS = "A B C D top middle bottom left right yes no"
_NUMBERS = map(str, range(100))

ANSWERS = frozenset(" ".join((_COLOURS, _SHAPES, _THINGS, _WRITTEN, _OTHERS, *_NUMBERS)).split())
"""Each a single word."""
