"""With a person in the loop: the run stops before each drawing and does what it is told.

python examples/human_in_the_loop.py
"""

import asyncio

from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.types import Command
from picture import OPTIONS, QUESTION, save_picture

import g2u


async def main() -> None:
    """Have the model draw another edit than it chose, then let it go on."""
    graph = g2u.build_graph(InMemorySaver(serde=JsonPlusSerializer(allowed_msgpack_modules=g2u.STATE_TYPES)))
    config = {"configurable": {"thread_id": "1"}}
    context = g2u.Context(pause="drawing", store="runs/pictures")
    picture = g2u.ImageStore("runs/pictures").add_file(save_picture())
    replies = [{"action": "change", "edit": "trace_path(colour=green)"}, {"action": "approve"}]

    given = {"picture": picture, "question": QUESTION, "options": OPTIONS}
    result = await graph.ainvoke(given, config, context=context, version="v2")
    while result.interrupts:
        reply = replies.pop(0)
        print(f"It wants: {result.interrupts[0].value['instruction']}. The person says: {reply}")
        result = await graph.ainvoke(Command(resume=reply), config, version="v2")
    print(result.value["answer"].text, [turn.decision.call.text for turn in result.value["rounds"]])


if __name__ == "__main__":
    asyncio.run(main())
