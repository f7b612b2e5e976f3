"""A policy and a writer of your own.

g2u ask picture.png "Which is darker?" --policy examples/own_policy.py:by_brightness
g2u ask picture.png "Which is darker?" --policy writer:examples/own_policy.py:writer --model examples/own_model.py:load
"""

from langchain_core.messages import AIMessage
from langchain_core.runnables import Runnable, RunnableLambda
from PIL import ImageStat

from g2u.loop.deciding.situation import Situation
from g2u.state import Decision


async def by_brightness(situation: Situation) -> Decision:
    """Correct the exposure of a dark picture once; leave a bright one as it is."""
    brightness = ImageStat.Stat(situation.store.open(situation.picture).convert("L")).mean[0]
    wanted = "expose" if brightness < 100 and situation.round == 1 else "none"
    call = next(call for call in situation.menu.calls if call.edit == wanted)
    return situation.decision(call, f"The mean brightness is {brightness:.0f} of 255.")


def writer() -> Runnable:
    """A chat model, here one that always says the same; such as `ChatOpenAI(model="gpt-4o-mini")`."""
    return RunnableLambda(lambda messages: AIMessage("Raise the contrast."))
